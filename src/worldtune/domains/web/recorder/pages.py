"""What is recorded: our mini-sites, the productive MiniWoB++ tasks; the split of each seed."""

from dataclasses import dataclass
from typing import Literal

from worldtune.domains.web.recorder.server import SITES

Split = Literal["train", "val", "test_iid", "test_unseen"]

HELD_OUT_SITES = frozenset(("poll", "library"))
HELD_OUT_FAMILIES = frozenset(("email-inbox", "search-engine", "click-collapsible", "copy-paste"))

# Family -> tasks. Left out: drawing, dragging, canvas, sliders, menus that open under the mouse
# (nothing changes by click or type); pages of more than 220 tokens; use-colorwheel (bundles GPL
# code); terminal, stock-market, enter-time (clock or unseeded randomness); enter-date (native
# date picker).
MINIWOB_FAMILIES: dict[str, tuple[str, ...]] = {
    "book-flight": ("book-flight-nodelay",),
    "choose-date": ("choose-date-nodelay",),
    "choose-list": ("choose-list",),
    "click-button-sequence": ("click-button-sequence",),
    "click-checkboxes": ("click-checkboxes", "click-checkboxes-soft", "click-checkboxes-transfer"),
    "click-collapsible": ("click-collapsible-nodelay", "click-collapsible-2-nodelay"),
    "click-dialog": ("click-dialog", "click-dialog-2"),
    "click-option": ("click-option",),
    "click-scroll-list": ("click-scroll-list",),
    "click-tab": ("click-tab", "click-tab-2", "click-tab-2-easy"),
    "click-widget": ("click-widget",),
    "copy-paste": ("copy-paste", "copy-paste-2"),
    "email-inbox": (
        "email-inbox",
        "email-inbox-delete",
        "email-inbox-important",
        "email-inbox-reply",
    ),
    "enter-password": ("enter-password",),
    "enter-text": ("enter-text", "enter-text-2", "enter-text-dynamic"),
    "find-word": ("find-word",),
    "focus-text": ("focus-text-2",),
    "form-sequence": ("form-sequence-2", "form-sequence-3"),
    "generate-number": ("generate-number",),
    "guess-number": ("guess-number",),
    "login-user": ("login-user", "login-user-popup"),
    "multi-layouts": ("multi-layouts",),
    "multi-orderings": ("multi-orderings",),
    "phone-book": ("phone-book",),
    "read-table": ("read-table", "read-table-2"),
    "search-engine": ("search-engine",),
    "simple-arithmetic": ("simple-algebra", "simple-arithmetic"),
    "text-transform": ("text-transform",),
    "use-autocomplete": ("use-autocomplete-nodelay",),
}


@dataclass(frozen=True, order=True)
class Episode:
    """One episode to record; ``site`` is the family, of which all variants stay in one split."""

    page_set: Literal["own", "miniwob"]
    site: str
    task: str
    seed: int

    @property
    def path(self) -> str:
        """Where it starts on the server."""
        if self.page_set == "own":
            return f"/{self.site}/index.html?seed={self.seed}"
        return f"/miniwob/{self.task}.html"

    @property
    def split(self) -> Split:
        """Held-out sites and families whole; else by seed: 76 % train, 8 % val, 16 % test_iid."""
        if self.site in (HELD_OUT_SITES if self.page_set == "own" else HELD_OUT_FAMILIES):
            return "test_unseen"
        place = self.seed % 25
        if place in (6, 12, 18, 24):
            return "test_iid"
        return "val" if place in (3, 15) else "train"


def own_sites() -> list[str]:
    """Names of our mini-sites: every folder with an entry page."""
    return sorted(page.parent.name for page in SITES.glob("*/index.html"))


def own_episodes(sites: list[str], seeds: range) -> list[Episode]:
    """All episodes of the given mini-sites; of the held-out ones (tests only) every other seed."""
    return [
        Episode("own", site, site, seed)
        for site in sites
        for seed in seeds
        if site not in HELD_OUT_SITES or seed % 2 == 0
    ]


def miniwob_episodes(seeds: range) -> list[Episode]:
    """All episodes of the MiniWoB++ tasks."""
    return [
        Episode("miniwob", family, task, seed)
        for family, tasks in MINIWOB_FAMILIES.items()
        for task in tasks
        for seed in seeds
    ]
