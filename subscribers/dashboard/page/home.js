// What is seen where no job is open: how things are, or, where there is no job yet, what to do.

import { h, setAttribute, setText } from "./dom.js";
import { compact, whole } from "./format.js";
import { TROUBLE, hasEnded } from "./job_status.js";

const TILES = [
  { name: "running", label: "jobs running" },
  { name: "failed", label: "failed or lost" },
  { name: "rate", label: "lines/s" },
  { name: "errors", label: "errors seen live", title: "Lines of level ERROR and above since the gateway began to look" },
  { name: "firing", label: "alerts firing" },
];

export function createHome(element, { plots, alerts }) {
  const values = Object.fromEntries(TILES.map(({ name }) => [name, h("dd")]));
  const tiles = h(
    "dl",
    { class: "tiles" },
    TILES.map(({ name, label, title }) => h("div", { class: "tile", "data-tile": name, title }, h("dt", null, label), values[name])),
  );
  const alertsAt = h("section", { id: "home-alerts", tabindex: "-1", "aria-labelledby": "home-alerts-title" }, h("h2", { id: "home-alerts-title" }, "Alerts"));
  const plotsAt = h("section", { id: "home-plots", tabindex: "-1", "aria-labelledby": "home-plots-title" }, h("h2", { id: "home-plots-title" }, "Plots"));
  const overview = h(
    "div",
    { class: "overview" },
    h("p", { class: "page-title", "aria-hidden": "true" }, "All jobs"),
    h("p", { class: "hint only-wide" }, "Choose a job at the left to read its log. ", h("kbd", null, "?"), " lists the keys."),
    tiles,
    alertsAt,
    plotsAt,
  );
  let shown = false;
  element.append(h("p", { class: "loading" }, "Loading…"));

  function figures(jobs, firing, told) {
    const running = jobs.filter((job) => !hasEnded(job));
    const sum = (of, list) => list.reduce((total, job) => total + of(job), 0);
    setText(values.running, whole(running.length));
    setText(values.failed, whole(jobs.filter((job) => TROUBLE.has(job.status)).length));
    setText(values.rate, compact(sum((job) => job.stats?.lines_per_s ?? job.lines_per_s, running)));
    setText(values.errors, compact(sum((job) => job.errors_seen, jobs)));
    setText(values.firing, whole(firing));
    setAttribute(values.firing.parentElement, "title", told);
    overview.toggleAttribute("data-calm", firing === 0);
    for (const name of ["failed", "errors", "firing"]) {
      values[name].parentElement.toggleAttribute("data-bad", values[name].textContent !== "0");
    }
  }

  return {
    show() {
      shown = true;
      element.hidden = false;
      alertsAt.append(alerts.element);
      plotsAt.append(plots.element);
      plots.show();
    },
    hide() {
      shown = false;
      element.hidden = true;
    },
    // `jobs` is null while nothing was told; `told` says how many alerts fire, in words.
    update(jobs, firing, told) {
      if (jobs === null) return;
      if (jobs.length) {
        if (overview.parentElement !== element) element.replaceChildren(overview);
        figures(jobs, firing, told);
      } else if (!element.querySelector(".state.empty")) {
        element.replaceChildren(empty());
      }
    },
    focus(name) {
      if (!shown) return;
      const section = name === "plots" ? plotsAt : alertsAt;
      section.scrollIntoView();
      section.focus({ preventScroll: true });
    },
  };
}

function empty() {
  const command = 'ray job submit --address http://HOST:8265 -- python -c "print(\'hello\')"';
  return h(
    "div",
    { class: "state empty" },
    h("h2", { class: "page-title" }, "No job yet"),
    h("p", null, "raytap is watching, and there is nothing to read so far. Submit a job to your Ray cluster, and it appears here within two seconds:"),
    h("pre", null, h("code", null, command)),
    h("p", null, "Is one running that should be here? ", h("code", null, "raytap doctor"), " finds out why it is not: a cluster that cannot be reached, or a job that ", h("code", null, "[cluster.NAME] jobs"), " leaves out."),
  );
}
