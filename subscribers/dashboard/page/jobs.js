// The list at the left: every job, by cluster, with a filter by name and by status.

import { announce, arrange, h, setAttribute, setText } from "./dom.js";
import { plural } from "./format.js";
import { createJobRow } from "./job_row.js";
import { FILTERS, hasEnded, inOrder } from "./job_status.js";
import { same } from "./route.js";

const key = ({ cluster, job }) => `${cluster}/${job}`;
const MANY = 3; // more new jobs at once are announced as a number

// `open(job, {beside})` is called where one is chosen.
export function createJobList(element, { open }) {
  const rows = new Map(); // key: {element, link, update}
  const clusters = new Map(); // name: {element, count, list, divider}
  let jobs = null;
  let panes = [];
  let severityOf = () => null;
  let filter = "all";
  let shown = []; // in the order in which they stand

  const input = h("input", {
    id: "job-filter",
    type: "search",
    placeholder: "Filter jobs",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Filter jobs by name or status",
    "aria-keyshortcuts": "s",
  });
  const chips = FILTERS.map(({ name, label }) => {
    const count = h("span", { class: "chip-count" });
    const button = h("button", { class: "chip", type: "button", onclick: () => choose(name) }, label, " ", count);
    return { name, button, count };
  });
  const body = h("div", { class: "job-clusters" });
  const nothing = h("div", { class: "job-nothing", role: "status" }, "Loading…");
  element.append(
    h("div", { class: "job-search" }, input, h("kbd", { "aria-hidden": "true" }, "s")),
    h("div", { class: "chips", role: "group", "aria-label": "Filter by status" }, chips.map(({ button }) => button)),
    body,
    nothing,
  );

  function choose(name) {
    filter = name;
    render();
  }

  function matches(job) {
    const words = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${key(job)} ${job.status} ${job.state}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  function clusterOf(name) {
    let cluster = clusters.get(name);
    if (!cluster) {
      const count = h("span", { class: "cluster-count" });
      const id = `cluster-${name}`;
      const list = h("ul", { class: "job-list", "aria-labelledby": id });
      const divider = h("li", { class: "job-divider" });
      const section = h("section", { class: "cluster" }, h("h2", { id }, h("span", null, name), count), list);
      cluster = { element: section, count, list, divider };
      clusters.set(name, cluster);
    }
    return cluster;
  }

  function render() {
    for (const { name, button } of chips) setAttribute(button, "aria-pressed", String(name === filter));
    if (!jobs) return;
    const now = Date.now();
    const focused = document.activeElement;
    const named = jobs.filter(matches);
    for (const [index, { keeps }] of FILTERS.entries()) setText(chips[index].count, String(named.filter(keeps).length));
    const { keeps } = FILTERS.find(({ name }) => name === filter);
    const kept = named.filter(keeps);
    const names = [...new Set(kept.map(({ cluster }) => cluster))].sort();
    shown = [];
    const sections = names.map((name) => {
      const cluster = clusterOf(name);
      const members = kept.filter((job) => job.cluster === name).sort(inOrder);
      const firstEnded = members.findIndex(hasEnded);
      const items = members.map((job) => {
        const row = rows.get(key(job)) ?? createJobRow(job);
        rows.set(key(job), row);
        const place = panes.findIndex((pane) => same(pane, job));
        row.update(job, { current: place === 0, open: place >= 0, severity: job.alerts ? severityOf(job) : null, now });
        shown.push({ job, link: row.link });
        return row.element;
      });
      if (firstEnded > 0) {
        setText(cluster.divider, `Ended (${members.length - firstEnded})`);
        items.splice(firstEnded, 0, cluster.divider);
      }
      setText(cluster.count, plural(members.length, "job"));
      arrange(cluster.list, items);
      return cluster.element;
    });
    arrange(body, sections);
    // A row that moved has lost the focus.
    if (focused !== document.activeElement && element.contains(focused)) focused.focus({ preventScroll: true });
    setText(nothing, jobs.length === 0 ? "No job yet. New ones appear here by themselves." : kept.length === 0 ? "No job matches the filter." : "");
  }

  function forgetGone() {
    const known = new Set(jobs.map(key));
    for (const name of rows.keys()) if (!known.has(name)) rows.delete(name);
  }

  function tellNew(before) {
    const known = new Set(before.map(key));
    const fresh = jobs.filter((job) => !known.has(key(job)));
    if (fresh.length > MANY) announce(`${fresh.length} new jobs`);
    else if (fresh.length) announce(`New job: ${fresh.map(({ job }) => job).join(", ")}`);
  }

  function move(from, step) {
    const at = shown.findIndex(({ link }) => link === from);
    const to = shown[Math.max(0, Math.min(shown.length - 1, at + step))];
    to?.link.focus();
    to?.link.scrollIntoView({ block: "nearest" });
  }

  input.addEventListener("input", render);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") move(null, 1);
    else if (event.key === "Enter" && shown.length) open(shown[0].job, { beside: event.shiftKey });
    else if (event.key === "Escape" && input.value) {
      input.value = "";
      render();
    } else return;
    event.preventDefault();
  });

  body.addEventListener("click", (event) => {
    const item = event.target.closest(".job");
    if (!item || event.ctrlKey || event.metaKey || event.button !== 0) return;
    const beside = event.shiftKey || event.target.closest(".job-beside") !== null;
    event.preventDefault();
    open({ cluster: item.dataset.cluster, job: item.dataset.job }, { beside });
  });
  body.addEventListener("keydown", (event) => {
    const link = event.target.closest(".job-link");
    if (!link || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown") move(link, 1);
    else if (event.key === "ArrowUp" && shown[0]?.link === link) input.focus();
    else if (event.key === "ArrowUp") move(link, -1);
    else if (event.key === "Home") move(link, -shown.length);
    else if (event.key === "End") move(link, shown.length);
    else if (event.key === "b" || (event.key === "Enter" && event.shiftKey)) {
      const { cluster, job } = link.parentElement.dataset;
      open({ cluster, job }, { beside: true });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    // The list as the gateway tells it, or null while nothing was told.
    update(told) {
      const before = jobs;
      jobs = told;
      if (!jobs) return;
      forgetGone();
      if (before) tellNew(before);
      render();
    },
    // `worst(job)`: the severity of the worst alert that fires for it.
    alerts(worst) {
      severityOf = worst;
      render();
    },
    // Which jobs are open, the first of them being the one of the address.
    open(opened) {
      panes = opened;
      render();
      const row = panes[0] && rows.get(key(panes[0]));
      if (row?.element.isConnected) row.link.scrollIntoView({ block: "nearest" });
    },
    tick: render,
    focusFilter() {
      input.focus();
      input.select();
    },
    hasFocus: () => element.contains(document.activeElement),
    // The job that stands `step` rows from `from`; the first one where it is not in the list.
    next(from, step) {
      const at = shown.findIndex(({ job }) => from && same(job, from));
      if (at < 0) return shown[0]?.job;
      return shown[at + step]?.job;
    },
  };
}
