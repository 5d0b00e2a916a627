// What fires, what fired, what is muted, and whether those who are to be told are told.

import { h, setText } from "./dom.js";
import { clock, duration, plural } from "./format.js";
import { icon } from "./icons.js";
import { format, same } from "./route.js";

const ICONS = { critical: "critical", error: "warning", warning: "warning", info: "info" };
const RANKS = { critical: 0, error: 1, warning: 2, info: 3 };
const MOST = 100; // of the history

const rank = ({ severity }) => RANKS[severity] ?? 4;

// `open({cluster, job}, line)` is called where one is chosen.
export function createAlerts({ open }) {
  const element = h("div", { class: "alerts" });
  const unfolded = new Set(); // titles of the sections that someone opened
  let drawn = "";
  let last = null;
  let jobs = []; // whose alerts stand first

  function place(alert) {
    if (!alert.job) return h("span", { class: "alert-where" }, alert.cluster || "raytap");
    const line = alert.line ?? null;
    const text = `${alert.cluster}/${alert.job}${line === null ? "" : ` line ${line}`}`;
    const url = format({ panes: [alert], line });
    const onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      open({ cluster: alert.cluster, job: alert.job }, line);
    };
    const key = `${alert.fingerprint}@${alert.starts_at}`;
    return h("a", { class: "alert-where", href: url, onclick, "data-key": key }, text);
  }

  function card(alert) {
    const { summary, description } = alert.annotations;
    return h(
      "li",
      { class: "alert", "data-severity": alert.severity, "data-muted": alert.muted ? "true" : null },
      h(
        "p",
        { class: "alert-head" },
        h("span", { class: "severity" }, icon(ICONS[alert.severity] ?? "info"), alert.severity),
        h("strong", null, alert.rule),
        h("span", { class: "alert-since", "data-since": alert.starts_at }),
        alert.muted ? h("span", { class: "tag" }, icon("muted"), "muted") : null,
      ),
      summary ? h("p", { class: "alert-text" }, summary) : null,
      h("p", null, place(alert)),
      description && description !== summary ? h("pre", { class: "alert-quote", tabindex: "0", role: "region", "aria-label": `What ${alert.rule} says` }, description) : null,
    );
  }

  function past(alert) {
    const end = alert.ends_at;
    return h(
      "tr",
      null,
      h("td", null, clock(alert.starts_at * 1000)),
      h("td", null, h("span", { class: "severity", "data-severity": alert.severity }, icon(ICONS[alert.severity] ?? "info"), alert.severity)),
      h("td", null, alert.rule, alert.annotations?.summary ? h("p", { class: "alert-text hint" }, alert.annotations.summary) : null),
      h("td", null, place(alert)),
      h("td", null, end ? `resolved after ${duration(end - alert.starts_at)}` : "firing"),
    );
  }

  function mute({ matchers, until, reason, by }) {
    const what = Array.isArray(matchers) ? matchers.join(" ") : String(matchers);
    return h("li", null, h("code", null, what), ` until ${clock(until * 1000)}`, reason ? `: ${reason}` : "", by ? ` (${by})` : "");
  }

  function receiver({ name, kind, ok, queued, sent, failed, last_error: last }) {
    return h(
      "tr",
      { "data-tone": ok ? "ok" : "error" },
      h("td", null, h("span", { class: "health" }, icon(ok ? "succeeded" : "failed"), ok ? "works" : "fails")),
      h("td", null, `${name} (${kind})`),
      h("td", null, `${sent} sent, ${failed} failed, ${queued} waiting`),
      h("td", null, last || ""),
    );
  }

  // What is not urgent is folded; once opened it stays so.
  function folded(title, count, content) {
    const box = h("details", { class: "fold", open: unfolded.has(title) }, h("summary", { "data-key": title }, h("h3", null, `${title} (${count})`)), content);
    box.addEventListener("toggle", () => (box.open ? unfolded.add(title) : unfolded.delete(title)));
    return box;
  }

  function warning(text) {
    return h("p", { class: "notice", "data-tone": "error" }, icon("warning"), h("span", null, text));
  }

  function rows(caption, head, body) {
    const columns = head.map((text) => h("th", { scope: "col" }, text));
    return h("div", { class: "scroll" }, h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, h("tr", null, columns)), h("tbody", null, body)));
  }

  const theirs = (alert) => jobs.some((job) => same(job, alert));

  function draw() {
    const text = JSON.stringify([last, jobs]);
    if (text === drawn || !last) return;
    drawn = text;
    const focused = element.contains(document.activeElement) && document.activeElement.dataset.key;
    element.replaceChildren(...parts(last).filter(Boolean));
    tick();
    if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  function parts({ configured, firing, history, mutes, receivers, degraded = [], problem = "" }) {
    if (!configured) {
      return [
        h(
          "div",
          { class: "state" },
          h("h3", null, "No alerts are set up"),
          h("p", null, "Rules on lines, rates and silence tell you before you look. Switch some ready-made ones on in a file, name it under ", h("code", null, "[alerts] rules"), " in raytap.toml, and start"),
          h("pre", null, h("code", null, "raytap alerts")),
        ),
      ];
    }
    const sorted = [...firing].sort((a, b) => a.muted - b.muted || theirs(b) - theirs(a) || rank(a) - rank(b) || b.starts_at - a.starts_at);
    const failing = receivers.filter(({ ok }) => !ok);
    return [
      problem ? warning(`The alerts process does not answer: ${problem}. What you see is what it said last.`) : null,
      ...degraded.map(warning),
      failing.length ? warning(`${failing.map(({ name }) => name).join(", ")}: alerts are not delivered there just now. They wait, and are sent when it works again.`) : null,
      h(
        "section",
        null,
        h("h3", null, headed(last)),
        sorted.length ? h("ul", { class: "alert-list" }, sorted.map(card)) : h("p", { class: "calm" }, icon("succeeded"), "Nothing fires."),
      ),
      history.length ? folded("History", history.length, rows("Alerts, the newest first", ["Began", "Severity", "Rule", "Where", "Outcome"], [...history].sort((a, b) => theirs(b) - theirs(a)).slice(0, MOST).map(past))) : null,
      mutes.length ? folded("Mutes", mutes.length, h("ul", { class: "plain" }, mutes.map(mute))) : null,
      receivers.length ? folded("Receivers", receivers.length, rows("Who is told, and whether it works", ["Health", "Receiver", "Count", "Last error"], receivers.map(receiver))) : null,
    ];
  }

  function tick() {
    for (const since of element.querySelectorAll("[data-since]")) {
      setText(since, `for ${duration(Date.now() / 1000 - Number(since.dataset.since))}`);
    }
  }

  return {
    element,
    tick,
    told(alerts) {
      last = alerts;
      draw();
    },
    // The alerts of these jobs, which are open, stand before the others.
    first(opened) {
      jobs = opened.map(({ cluster, job }) => ({ cluster, job }));
      draw();
    },
  };
}

// What the pane of a job marks: {line, rule, severity, epoch, firing}.
export function marksOf(alerts, { cluster, job }) {
  return [...alerts.history, ...alerts.firing]
    .filter((alert) => alert.cluster === cluster && alert.job === job && Number.isInteger(alert.line))
    .map(({ line, rule, severity, epoch, state, muted }) => ({ line, rule, severity, epoch, muted, firing: state === "firing" }));
}

// What "firing" means everywhere: it fires, and is not muted.
export const loudOf = ({ firing }) => firing.filter(({ muted }) => !muted);

// The worst severity of what fires, of all or of one job; null where nothing does.
export function worstOf(alerts, job = null) {
  const loud = loudOf(alerts).filter((alert) => !job || same(alert, job));
  return loud.sort((a, b) => rank(a) - rank(b))[0]?.severity ?? null;
}

/** How many fire that the answer has no room for; those that press most are in it. */
const moreOf = ({ firing, total }) => Math.max(0, (total?.firing ?? 0) - firing.length);

function headed(alerts) {
  const loud = loudOf(alerts).length;
  const muted = alerts.firing.length - loud;
  const more = moreOf(alerts);
  return `Firing (${loud}${muted ? `, and ${muted} muted` : ""}${more ? `, and ${more.toLocaleString("en")} more that are not shown` : ""})`;
}

export function firingSentence(alerts) {
  const loud = loudOf(alerts);
  const muted = alerts.firing.length - loud.length;
  return (loud.length ? `${plural(loud.length, "alert")} firing` : "no alert firing") + (muted ? `, ${muted} muted` : "") + (moreOf(alerts) ? `, ${moreOf(alerts).toLocaleString("en")} more not shown` : "");
}
