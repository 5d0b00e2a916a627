// What stands over a log: which job it is, how it fares, and what can be done with the pane.

import { h, setAttribute, setText } from "./dom.js";
import { compact, duration, milliseconds, plural } from "./format.js";
import { icon } from "./icons.js";
import { hasEnded, statusOf } from "./job_status.js";

const LINKS = {
  loading: ["loading…", "quiet"],
  live: ["", ""],
  ended: ["", ""],
  disconnected: ["reconnecting…", "warn"],
};

export function createPaneHead({ cluster, job }, { back, close, showAlerts }) {
  const mark = h("span", { class: "pane-mark" });
  const status = h("span", { class: "pane-status" });
  const link = h("span", { class: "tag pane-link", role: "status" });
  const facts = h("span", { class: "pane-facts" });
  const firing = h("span");
  const firingWord = h("span", { class: "pane-firing-word" }, "firing");
  const alerts = h("button", { class: "tag tag-alert", type: "button", onclick: showAlerts, hidden: true }, icon("bell"), firing, firingWord);
  const closing = h(
    "button",
    { class: "button-icon pane-close", type: "button", "aria-label": `Close ${job}`, title: "Close (x)", onclick: close },
    icon("close"),
  );
  const backing = h("button", { class: "button-icon pane-back", type: "button", "aria-label": "Back to the list of jobs", onclick: back }, icon("back"));
  const name = h("h2", { title: `${cluster}/${job}` }, h("span", { class: "pane-cluster" }, `${cluster}/`), h("span", { class: "pane-job" }, job));
  const element = h("header", { class: "pane-head" }, backing, mark, name, status, link, alerts, facts, closing);
  let drawn = "";

  return {
    element,
    // `row` is undefined while the list has none.
    update(row, { connection, several, severity, now }) {
      const [word, tone] = LINKS[connection] ?? ["", ""];
      setText(link, word);
      setAttribute(link, "data-tone", tone);
      link.hidden = !word;
      closing.hidden = !several;
      if (!row) {
        setText(status, "");
        setText(facts, "");
        alerts.hidden = true;
        return;
      }
      const shown = statusOf(row);
      if (drawn !== shown.icon) {
        mark.replaceChildren(icon(shown.icon));
        drawn = shown.icon;
      }
      setAttribute(element, "data-tone", shown.tone);
      setAttribute(mark, "title", shown.word);
      const age = row.run && !hasEnded(row) && !shown.detail ? ` for ${duration((now - row.run) / 1000)}` : "";
      setText(status, shown.word + (shown.detail ? `: ${shown.detail}` : age));
      setAttribute(status, "title", shown.detail || null);
      setText(facts, factsOf(row).join(" · "));
      alerts.hidden = !row.alerts;
      setText(firing, String(row.alerts));
      setAttribute(alerts, "aria-label", `${plural(row.alerts, "alert")} firing`);
      setAttribute(alerts, "data-severity", severity);
    },
  };
}

function factsOf(row) {
  const { stats } = row;
  const live = stats && !hasEnded(row);
  return [
    live ? `${compact(stats.lines_per_s)} lines/s` : plural(row.next, "line"),
    live && stats.lag_p95_ms ? `lag ${milliseconds(stats.lag_p95_ms)}` : "",
    row.errors_seen ? plural(row.errors_seen, "error") : "",
    row.dropped ? `${plural(row.dropped, "line")} dropped` : "",
  ].filter(Boolean);
}
