// One job in the list. Told anew each second, it touches only what changed.

import { h, setAttribute, setText } from "./dom.js";
import { age, clock, compact, plural } from "./format.js";
import { icon } from "./icons.js";
import { hasEnded, statusOf } from "./job_status.js";
import { format } from "./route.js";
import { createSparkline } from "./sparkline.js";

export function createJobRow({ cluster, job }) {
  const name = h("span", { class: "job-name" }, job);
  const old = h("span", { class: "job-age" });
  const status = h("span", { class: "job-status" });
  const rate = h("span", { class: "job-rate" });
  const errors = h("span", { class: "job-errors" });
  const alerts = h("span", { class: "job-alerts" });
  const firing = h("span");
  alerts.append(icon("bell"), firing);
  const mark = h("span", { class: "job-mark" });
  const spark = createSparkline();
  const link = h(
    "a",
    { class: "job-link", href: format({ panes: [{ cluster, job }] }) },
    mark,
    h("span", { class: "job-title" }, name, alerts),
    old,
    h("span", { class: "job-facts" }, status, rate, errors),
    spark.element,
  );
  const beside = h(
    "button",
    { class: "job-beside", type: "button", "aria-label": `Open ${job} beside`, title: "Open beside (Shift+click)" },
    icon("beside"),
  );
  const element = h("li", { class: "job", "data-cluster": cluster, "data-job": job }, link, beside);
  let drawn = "";
  let told = null;

  function update(row, { current, open, severity, now }) {
    setAttribute(element, "data-open", open ? "true" : null);
    setAttribute(link, "aria-current", current ? "page" : null);
    // A job that ended tells how long that is ago, one that runs how long it has run.
    const since = hasEnded(row) ? row.last_frame_ts / 1e6 : row.run;
    setText(old, since ? age((now - since) / 1000) + (hasEnded(row) ? " ago" : "") : "");
    setAttribute(alerts, "data-severity", severity);
    if (row === told) return;
    told = row;
    const shown = statusOf(row);
    if (drawn !== shown.icon) {
      mark.replaceChildren(icon(shown.icon));
      drawn = shown.icon;
    }
    setAttribute(element, "data-tone", shown.tone);
    setAttribute(element, "data-ended", hasEnded(row) ? "true" : null);
    setAttribute(link, "title", [`${cluster}/${job}`, shown.detail].filter(Boolean).join(": "));
    setText(status, shown.word);
    setAttribute(old, "title", row.run ? `started ${clock(row.run)}` : null);
    const speed = row.stats?.lines_per_s ?? row.lines_per_s;
    setText(rate, hasEnded(row) ? plural(row.next, "line") : `${compact(speed)} lines/s`);
    setText(errors, row.errors_seen ? `${compact(row.errors_seen)} error${row.errors_seen === 1 ? "" : "s"}` : "");
    alerts.hidden = !row.alerts;
    setText(firing, `${row.alerts} firing`);
    spark.element.style.visibility = hasEnded(row) ? "hidden" : "";
    if (!hasEnded(row)) spark.update(row.spark ?? []);
  }

  return { element, link, update };
}
