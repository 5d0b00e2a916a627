// The plots of a job or of a cluster: lines/s, how far behind, and how often it had to reconnect.

import { arrange, h, setAttribute, setText } from "./dom.js";
import { compact, milliseconds } from "./format.js";
import { createPlot } from "./plot.js";
import { changeSettings, getSettings, onSettings } from "./settings.js";

const RANGES = [1, 5, 15]; // minutes; the gateway remembers no more
const EVERY_MS = { 1: 2_000, 5: 2_000, 15: 5_000 };

const LEAST = 30; // figures: a minute of them

// Without the time before the first figure.
function sinceFirst({ series, ...rest }) {
  const lists = Object.values(series);
  const length = Math.max(0, ...lists.map((list) => list.length));
  const known = lists.map((list) => list.findIndex((value) => value !== null)).filter((at) => at >= 0);
  const first = Math.max(0, Math.min(length - LEAST, ...known));
  const cut = known.length ? first : 0;
  return { ...rest, series: Object.fromEntries(Object.entries(series).map(([name, list]) => [name, list.slice(cut)])) };
}

export function createPlots({ api }) {
  const plots = [
    createPlot({
      title: "Lines per second",
      series: [{ name: "lines_per_s", label: "lines/s" }],
      unit: compact,
    }),
    createPlot({
      title: "Lag behind the broker",
      series: [
        { name: "lag_p50_ms", label: "p50" },
        { name: "lag_p95_ms", label: "p95" },
        { name: "lag_p99_ms", label: "p99" },
      ],
      unit: milliseconds,
    }),
    createPlot({
      title: "Reconnects",
      series: [{ name: "reconnects", label: "reconnects" }],
      unit: compact,
      bars: true,
    }),
  ];
  const choice = h("select", { id: "plots-of", onchange: ask });
  const ranges = RANGES.map((minutes) => {
    const text = `${minutes} min`;
    const change = () => changeSettings({ minutes });
    return { minutes, button: h("button", { class: "chip", type: "button", onclick: change }, text) };
  });
  const problem = h("p", { class: "problem", role: "status" });
  const element = h(
    "div",
    { class: "plots" },
    h(
      "div",
      { class: "plots-bar" },
      h("label", { for: "plots-of" }, "Plots of"),
      choice,
      h("div", { class: "chips", role: "group", "aria-label": "Range" }, ranges.map(({ button }) => button)),
      problem,
    ),
    h("div", { class: "plots-grid" }, plots.map((plot) => plot.element)),
  );
  let timer;
  let shown = false;
  let asked = 0;
  const options = new Map(); // "cluster" or "cluster/job": its <option>

  async function ask() {
    clearTimeout(timer);
    if (!shown || document.hidden || !choice.value) return;
    const [cluster, job] = choice.value.split("/");
    const { minutes } = getSettings();
    const mine = (asked += 1);
    try {
      const stats = await api.stats(cluster, job, minutes);
      if (mine !== asked || !shown) return;
      setText(problem, "");
      const begun = sinceFirst(stats);
      for (const plot of plots) plot.told(begun, minutes);
    } catch (error) {
      if (mine !== asked) return;
      setText(problem, `No figures: ${error.message}`);
    }
    timer = setTimeout(ask, EVERY_MS[minutes]);
  }

  function optionOf(name, text) {
    if (!options.has(name)) options.set(name, h("option", { value: name }, text));
    return options.get(name);
  }

  function showRange() {
    const { minutes } = getSettings();
    for (const range of ranges) setAttribute(range.button, "aria-pressed", String(range.minutes === minutes));
  }

  onSettings(() => {
    showRange();
    for (const plot of plots) plot.draw();
    ask();
  });
  showRange();
  document.addEventListener("visibilitychange", ask);

  return {
    element,
    // What can be chosen: the open jobs, then the clusters.
    offer(panes, clusters) {
      const before = choice.value;
      arrange(choice, [
        ...panes.map(({ cluster, job }) => optionOf(`${cluster}/${job}`, `job ${job}`)),
        ...clusters.map((cluster) => optionOf(cluster, `cluster ${cluster}`)),
      ]);
      if (choice.value !== before) ask();
    },
    choose(pane) {
      const name = pane && `${pane.cluster}/${pane.job}`;
      if (name && options.has(name) && choice.value !== name) {
        choice.value = name;
        ask();
      }
    },
    show() {
      if (shown) return;
      shown = true;
      ask();
    },
    hide() {
      shown = false;
      clearTimeout(timer);
    },
  };
}
