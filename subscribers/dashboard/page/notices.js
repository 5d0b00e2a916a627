// What does not work just now, over everything else: since when, and what happens next.

import { h, setText } from "./dom.js";
import { clock } from "./format.js";
import { icon } from "./icons.js";

// `retry()` tries the connection at once.
export function createNotices(element, { retry }) {
  const when = h("span");
  const what = h("span");
  const lost = h(
    "div",
    { class: "notice", "data-notice": "lost", "data-tone": "error", hidden: true },
    icon("plug"),
    h("p", null, h("strong", null, "Disconnected from the gateway"), what, when),
    h("button", { class: "button-quiet", type: "button", onclick: retry }, "Try now"),
  );
  const degraded = h("ul", { class: "plain" });
  const impaired = h(
    "div",
    { class: "notice", "data-notice": "degraded", "data-tone": "warn", hidden: true },
    icon("warning"),
    h("div", null, h("strong", null, "Degraded"), degraded),
  );
  element.append(lost, impaired);
  let retryAt = 0;

  function tick() {
    if (lost.hidden) return;
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const text = seconds ? ` Trying again in ${seconds} s.` : " Trying again…";
    setText(when, text);
  }

  return {
    tick,
    // `problem`: {since (ms), error} or null.
    disconnected(problem) {
      lost.hidden = problem === null;
      if (!problem) return;
      retryAt = problem.error.retryAt ?? 0;
      setText(what, ` since ${clock(problem.since)}: ${problem.error.message}. What you see is as of then; what you miss is fetched when it is back.`);
      tick();
    },
    degraded(lines) {
      impaired.hidden = lines.length === 0;
      if (degraded.textContent !== lines.join("")) degraded.replaceChildren(...lines.map((line) => h("li", null, line)));
    },
  };
}
