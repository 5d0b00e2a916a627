// The logs that are open, side by side; on a narrow screen one at a time, with a switcher.

import { marksOf, worstOf } from "./alerts.js";
import { arrange, h, setAttribute } from "./dom.js";
import { createLogPane } from "./log_pane.js";
import { paneCover } from "./pane_cover.js";
import { createPaneHead } from "./pane_head.js";
import { same } from "./route.js";
import { changeSettings, getSettings, onSettings } from "./settings.js";

// `on`: {close(pane), line(pane, line), showAlerts(), home(), signOut(), session(), announce(text)}
export function createPanes(element, { api, on }) {
  const switcher = h("div", { class: "switcher", role: "group", "aria-label": "Open logs" });
  const grid = h("div", { class: "panes" });
  element.append(switcher, grid);
  let open = []; // {cluster, job, log, head, body, section, tab, connection, cover}
  let current = null;
  let jobs = [];
  let alerts = null;

  function make({ cluster, job }, line) {
    const pane = { cluster, job, connection: "loading", cover: null, log: null };
    pane.head = createPaneHead(pane, {
      back: on.home,
      close: () => on.close(pane),
      showAlerts: on.showAlerts,
    });
    pane.body = h("div", { class: "pane-body" });
    pane.section = h("section", { class: "pane", "aria-label": `Log of ${job}` }, pane.head.element, pane.body);
    pane.section.addEventListener("focusin", () => makeCurrent(pane));
    pane.section.addEventListener("pointerdown", () => makeCurrent(pane));
    pane.tab = h("button", { class: "tab", type: "button", onclick: () => makeCurrent(pane) }, job);
    start(pane, line);
    return pane;
  }

  function start(pane, line) {
    pane.log = createLogPane(pane.body, {
      cluster: pane.cluster,
      job: pane.job,
      api,
      settings: getSettings(),
      line,
      onSettings: changeSettings,
      onLine: (chosen) => on.line(pane, chosen),
      onState: ({ connection }) => {
        if (connection === pane.connection) return;
        pane.connection = connection;
        cover(pane);
        draw(pane);
      },
      announce: on.announce,
    });
    if (alerts) pane.log.setAlerts(marksOf(alerts, pane));
  }

  function cover(pane) {
    pane.cover?.remove();
    pane.cover = paneCover(pane.connection, pane, { session: on.session(), signOut: on.signOut, home: on.home });
    if (pane.cover) pane.section.append(pane.cover);
    pane.body.inert = pane.cover !== null;
  }

  function restart(pane) {
    pane.log.destroy();
    pane.body.replaceChildren();
    pane.connection = "loading";
    cover(pane);
    start(pane, null);
  }

  function makeCurrent(pane) {
    current = pane;
    for (const other of open) {
      setAttribute(other.section, "data-current", String(other === current));
      setAttribute(other.tab, "aria-pressed", String(other === current));
    }
  }

  function draw(pane) {
    const row = jobs.find((job) => same(job, pane));
    const connection = pane.connection;
    pane.head.update(row, { connection, several: open.length > 1, severity: alerts && worstOf(alerts, pane), now: Date.now() });
    if (row && connection === "missing") restart(pane);
  }

  onSettings((settings) => {
    for (const { log } of open) log.setSettings(settings);
  });

  return {
    // Open these jobs, the first of them at `line`; what is open already stays as it is.
    show(wanted, line) {
      const before = open;
      const first = before[0];
      open = wanted.map((job, index) => before.find((pane) => same(pane, job)) ?? make(job, index === 0 ? line : null));
      for (const gone of before.filter((pane) => !open.includes(pane))) gone.log.destroy();
      arrange(grid, open.map(({ section }) => section));
      arrange(switcher, open.map(({ tab }) => tab));
      setAttribute(element, "data-count", String(open.length));
      if (line !== null && before.includes(open[0]) && open[0] === first) open[0].log.goTo(line);
      const added = open.find((pane) => !before.includes(pane));
      if (open.length) makeCurrent(added ?? (open.includes(current) ? current : open[0]));
      else current = null;
      open.forEach(draw);
    },
    jobs(told) {
      jobs = told;
      open.forEach(draw);
    },
    alerts(told) {
      alerts = told;
      for (const pane of open) {
        pane.log.setAlerts(marksOf(alerts, pane));
        draw(pane);
      }
    },
    // The logs that wait for their next try have it now.
    reconnect() {
      for (const { connection, log } of open) if (connection === "disconnected") log.reconnect();
    },
    // Another one has signed in: what was forbidden may be allowed.
    retry() {
      open.filter(({ connection }) => connection === "forbidden").forEach(restart);
    },
    current: () => current,
    isOpen: (job) => open.some((pane) => same(pane, job)),
    focus(index) {
      const pane = open[index];
      if (!pane) return false;
      makeCurrent(pane);
      pane.log.focus();
      return true;
    },
    // A key for the current log, which has not the focus; true where it did something.
    press({ key, shiftKey }) {
      const scroller = current?.body.querySelector("[role=log]");
      if (!scroller || current.body.inert) return false;
      return !scroller.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }));
    },
    search() {
      current?.log.openSearch();
    },
    goTo(line) {
      open[0]?.log.goTo(line);
    },
  };
}
