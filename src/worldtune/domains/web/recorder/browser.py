"""One tab: open a page, read it, act on it. The only module that talks to Chromium.

Navigation is followed through the page itself (``page_side.js`` notes when a document is about to
be left), not through guesses about time: a page is read once its document was quiet for 25 ms.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Dialog, Error, Page, Request

from worldtune.domains.web.recorder.actions import Action
from worldtune.domains.web.recorder.snapshot import DomElement, Element, read_dom, read_elements

QUIET_MS = 25
CAP_MS = 900
LOAD_TIMEOUT_MS = 20_000
VIEWPORT = {"width": 800, "height": 900}
PAGE_SIDE = (Path(__file__).parent / "page_side.js").read_text("utf-8")

_CENTRE = """function() {
  const element = this.nodeType === 1 ? this : this.parentElement;
  element?.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  const range = document.createRange();
  range.selectNodeContents(this);
  const boxes = [...(this.nodeType === 1 ? this : range).getClientRects()];
  const box = boxes.find((each) => each.width * each.height > 0);
  return box ? {x: box.x + box.width / 2, y: box.y + box.height / 2} : null;
}"""
_CLICK = """function() {
  const element = this.nodeType === 1 ? this : this.parentElement;
  element.focus();
  element.click();
}"""
_SELECT_CONTENT = "function() { this.focus(); this.select?.(); }"
_BLUR = "function() { this.blur?.(); }"
_SET_VALUE = """function(text) {
  const shown = (option) => option.label.trim().replace(/\\s+/g, ' ');
  const option = [...(this.options ?? [])].find((each) => shown(each) === text);
  this.focus();
  this.value = option ? option.value : text;
  this.dispatchEvent(new Event('input', {bubbles: true}));
  this.dispatchEvent(new Event('change', {bubbles: true}));
}"""
# Fields whose content a keyboard cannot insert as one string.
_PICKER_TYPES = frozenset(("date", "time", "month", "week", "datetime-local", "color", "range"))


class TargetLostError(RuntimeError):
    """The browser does not give access to the element (inner parts of native pickers)."""


class ForeignRequestError(RuntimeError):
    """A page asked for something outside 127.0.0.1."""


@dataclass(frozen=True)
class View:
    """What the tab shows once quiet: its elements, and what the page says of itself.

    ``is_new_document`` tells that no element of an earlier view lives on. ``reward`` is the page's
    own (MiniWoB++: -1 to 1).
    """

    elements: tuple[Element, ...]
    url: str
    objective: str
    is_new_document: bool
    is_stable: bool
    is_done: bool
    reward: float


class Tab:
    """A tab on the pages of one origin."""

    def __init__(self, page: Page, session: CDPSession, *, origin: str) -> None:
        """Use :func:`open_tab`."""
        self._page = page
        self._session = session
        self._origin = origin
        self._foreign: list[str] = []
        page.on("dialog", _dismiss)
        page.on("request", self._note_request)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self._origin + "/", "data:", "blob:", "about:")):
            self._foreign.append(request.url)

    def begin(self, path: str) -> None:
        """Load ``path`` as the first page of an episode: nothing stored by earlier ones is left."""
        if self._page.url.startswith(self._origin):
            self._page.evaluate("() => { sessionStorage.clear(); localStorage.clear(); }")
        self.open(path)

    def open(self, path: str) -> None:
        """Load ``path`` of the origin."""
        self._page.goto(self._origin + path, wait_until="load", timeout=LOAD_TIMEOUT_MS)

    def start_miniwob(self, seed: int) -> None:
        """Start the one MiniWoB++ episode of a loaded page."""
        self._page.evaluate("(seed) => __recorder.startMiniwob(seed)", seed)

    def read(self) -> View:
        """Wait until the tab is quiet, then read it. Raises ForeignRequestError."""
        state = self._settle()
        ax_nodes = self._session.send("Accessibility.getFullAXTree")["nodes"]
        snapshot = self._session.send("DOMSnapshot.captureSnapshot", {"computedStyles": []})
        if self._foreign:
            raise ForeignRequestError(
                f"the page asked for {self._foreign[0]}, outside {self._origin}"
            )
        dom: dict[int, DomElement] = read_dom(snapshot["documents"][0], snapshot["strings"])
        return View(
            elements=tuple(read_elements(ax_nodes, dom)),
            url=state["url"],
            objective=" ".join(str(state["objective"]).split()),
            is_new_document=bool(state["fresh"]),
            is_stable=bool(state["stable"]),
            is_done=bool(state["done"]),
            reward=float(state["reward"]),
        )

    def _settle(self) -> dict[str, Any]:
        is_new_document = False
        while True:
            try:
                state: dict[str, Any] = self._page.evaluate(
                    "([quiet, cap]) => __recorder.settle(quiet, cap)", [QUIET_MS, CAP_MS]
                )
            except Error as error:
                # The document went away under the question: the next one answers.
                if not _is_navigation(error):
                    raise
                self._page.wait_for_load_state("load", timeout=LOAD_TIMEOUT_MS)
                continue
            is_new_document = is_new_document or bool(state["fresh"])
            if not state["leaving"]:
                return {**state, "fresh": is_new_document}
            self._page.wait_for_timeout(QUIET_MS)

    def act(self, action: Action, element: Element | None) -> None:
        """Carry out ``action``; ``element`` is its target, None for goto and go_back.

        Raises TargetLostError.
        """
        if action.kind == "goto":
            self.open(action.text)
        elif action.kind == "go_back":
            self._page.go_back(wait_until="load", timeout=LOAD_TIMEOUT_MS)
        elif element is not None:
            handle = self._resolve(element)
            if action.kind == "click":
                self._click(handle)
            elif action.kind == "select" or element.dom.attributes.get("type") in _PICKER_TYPES:
                self._call(handle, _SET_VALUE, action.text)
            else:
                self._type(handle, action)

    def _resolve(self, element: Element) -> str:
        try:
            answer = self._session.send("DOM.resolveNode", {"backendNodeId": element.key[0]})
        except Error as error:
            raise TargetLostError(f"{element.role} '{element.name}': {error}") from error
        return str(answer["object"]["objectId"])

    def _call(self, handle: str, function: str, *arguments: str) -> Any:
        parameters = {
            "objectId": handle,
            "functionDeclaration": function,
            "arguments": [{"value": argument} for argument in arguments],
            "returnByValue": True,
        }
        return self._session.send("Runtime.callFunctionOn", parameters)["result"].get("value")

    def _click(self, handle: str) -> None:
        # Our sites listen to clicks alone: no layout, no pixel, the same on every machine. Foreign
        # pages may listen to any part of a mouse click.
        centre = self._call(handle, _CENTRE) if self._is_foreign() else None
        if centre is None:
            self._call(handle, _CLICK)
            return
        self._page.mouse.click(centre["x"], centre["y"])

    def _is_foreign(self) -> bool:
        return self._page.url.startswith(self._origin + "/miniwob/")

    def _type(self, handle: str, action: Action) -> None:
        self._call(handle, _SELECT_CONTENT)
        if self._is_foreign():
            # Its autocompletes listen to keys.
            self._page.keyboard.type(action.text)
        else:
            self._page.keyboard.insert_text(action.text)
        if action.is_entered:
            self._page.keyboard.press("Enter")
        elif not self._is_foreign():
            # Leaving the field is what makes a browser say "change".
            self._call(handle, _BLUR)


def _dismiss(dialog: Dialog) -> None:
    dialog.dismiss()


def _is_navigation(error: Error) -> bool:
    message = str(error)
    signs = ("context was destroyed", "__recorder is not defined", "navigat")
    return any(sign in message for sign in signs)


@contextmanager
def open_tab(browser: Browser, *, origin: str) -> Iterator[Tab]:
    """Open a tab in a context of its own.

    Starting a renderer costs as much as recording ten rows, so one tab serves many episodes.
    """
    context = browser.new_context(
        viewport={"width": VIEWPORT["width"], "height": VIEWPORT["height"]},
        locale="en-US",
        timezone_id="UTC",
        reduced_motion="reduce",
        service_workers="block",
    )
    try:
        context.add_init_script(PAGE_SIDE)
        page = context.new_page()
        session = context.new_cdp_session(page)
        yield Tab(page, session, origin=origin)
    finally:
        context.close()
