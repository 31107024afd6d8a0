// Runs in every recorded document before its own scripts: switches motion off, and tells when the page is quiet.
"use strict";
(() => {
  // MiniWoB++ furniture outside the task: a clock, the score and the start cover.
  const FURNITURE = "#reward-display, #click-canvas, #sync-task-cover";
  const STYLE = `${FURNITURE} { display: none !important }
    *, *::before, *::after { transition: none !important; animation: none !important; caret-color: transparent !important }`;
  const wait = window.setTimeout.bind(window);
  const cancel = window.clearTimeout.bind(window);
  let isFresh = true;
  let isLeaving = false;

  // Fires synchronously when a script or a link starts a navigation, so a page that is about to go is never read.
  window.navigation?.addEventListener("navigate", (event) => {
    isLeaving ||= !event.destination.sameDocument && event.downloadRequest === null;
  });
  document.addEventListener("DOMContentLoaded", () => {
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
    if (window.jQuery) {
      window.jQuery.fx.off = true;
    }
  });

  const state = (isStable) => {
    const answer = {
      fresh: isFresh,
      leaving: isLeaving,
      stable: isStable,
      url: location.pathname + location.search,
      objective: document.body?.dataset.objective ?? "",
      done: document.body?.dataset.done === "true",
      reward: Number(document.body?.dataset.reward ?? 0),
    };
    if (typeof WOB_DONE_GLOBAL !== "undefined") {
      answer.objective = String(core.getUtterance()?.utterance ?? core.getUtterance());
      answer.done = WOB_DONE_GLOBAL;
      answer.reward = WOB_RAW_REWARD_GLOBAL;
    }
    if (!isLeaving) {
      isFresh = false;
    }
    return answer;
  };

  const loaded = new Promise((resolve) => window.addEventListener("load", resolve, { once: true }));
  const isOurs = ({ target }) => !(target.nodeType === 1 ? target : target.parentElement)?.closest(FURNITURE);

  // Resolves once the document has loaded and nothing in it has changed for `quietMs`; if that does not
  // happen within `capMs` after loading, stable is false.
  const settle = async (quietMs, capMs) => {
    if (document.readyState !== "complete") {
      await loaded;
    }
    return new Promise((resolve) => {
      const finish = (isStable) => {
        observer.disconnect();
        cancel(quiet);
        cancel(cap);
        resolve(state(isStable));
      };
      const observer = new MutationObserver((records) => {
        if (records.some(isOurs)) {
          cancel(quiet);
          quiet = wait(() => finish(true), quietMs);
        }
      });
      let quiet = wait(() => finish(true), isLeaving ? 0 : quietMs);
      const cap = wait(() => finish(false), capMs);
      observer.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
    });
  };

  const startMiniwob = (seed) => {
    core.EPISODE_MAX_TIME = 600000;
    Math.seedrandom(seed);
    core.startEpisodeReal();
  };

  Object.defineProperty(window, "__recorder", { value: Object.freeze({ settle, startMiniwob }) });
})();
