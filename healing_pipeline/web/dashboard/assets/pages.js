"use strict";
// A page of what is under way shows what becomes of it without being loaded anew: its content is asked
// for again and put in place, unless somebody writes or selects in it.
(() => {
  const main = document.getElementById("content");
  const underWay = (root) => root.querySelector("[data-again-s]");
  const parts = { details: "details", focusable: "a, button, summary, [tabindex]", wide: ".wide" };
  const all = (root, selector) => [...root.querySelectorAll(selector)];

  const isBusy = () => document.hidden || String(getSelection()) !== ""
    || ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement.tagName);

  const put = (fresh) => {
    const open = all(main, parts.details).map((each) => each.open);
    const scrolled = all(main, parts.wide).map((each) => each.scrollLeft);
    const focused = all(main, parts.focusable).indexOf(document.activeElement);
    main.replaceChildren(...fresh.getElementById("content").childNodes);
    all(main, parts.details).forEach((each, n) => { each.open = open[n] ?? each.open; });
    all(main, parts.wide).forEach((each, n) => { each.scrollLeft = scrolled[n] ?? 0; });
    if (focused >= 0) all(main, parts.focusable)[focused]?.focus({ preventScroll: true });
  };

  const again = async () => {
    if (!isBusy()) {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        const text = answer.ok ? await answer.text() : "";
        if (text && !isBusy()) put(new DOMParser().parseFromString(text, "text/html"));
      } catch {
        // The gateway is away; it is asked again.
      }
    }
    wait();
  };
  const wait = () => {
    const marked = underWay(main);
    if (marked) setTimeout(again, 1000 * Number(marked.dataset.againS));
  };
  wait();
})();
