// One plot on a canvas: axes with units, a legend that tells the values under the pointer (or the
// last ones), arrow keys to read it along, and the whole of it in a sentence.

import { announce, h, setAttribute, setText } from "./dom.js";
import { clock, plural } from "./format.js";
import { timeTicks, valueTicks } from "./axis.js";

const HEIGHT = 150;
const MARGIN = { top: 10, right: 10, bottom: 20, left: 54 };
const DASHES = [[], [6, 3], [2, 3]]; // beside the colour: lines are told apart without it

// `series`: [{name, label}]; `unit(value)` spells a value; `bars` draws counts instead of lines.
export function createPlot({ title, series, unit, bars = false }) {
  const legend = series.map(({ label }, index) => {
    const value = h("span", { class: "legend-value" });
    const element = h("li", { class: `series-${index}` }, h("span", { class: "legend-swatch" }), label, " ", value);
    return { element, value };
  });
  const when = h("span", { class: "plot-when" });
  const canvas = h("canvas", { class: "plot-canvas", tabindex: "0", role: "img" });
  const nothing = h("p", { class: "plot-nothing" });
  const element = h(
    "figure",
    { class: "plot" },
    h("figcaption", null, h("h3", null, title), h("ul", { class: "legend" }, legend.map((entry) => entry.element)), when),
    h("div", { class: "plot-area" }, canvas, nothing),
  );
  let data = null; // {from, until, step, values: [[…]…]}, ms
  let cursor = null; // an index of the values

  // `minutes`: what was asked for; there may be figures for less.
  function told({ step_s: stepS, until, series: all }, minutes) {
    const values = series.map(({ name }) => all[name] ?? []);
    const length = Math.max(0, ...values.map((list) => list.length));
    data = { until, step: stepS * 1000, from: until - length * stepS * 1000, values, length, minutes };
    if (cursor !== null && cursor >= length) cursor = null;
    const some = values.some((list) => list.some((value) => value !== null));
    setText(nothing, some ? "" : "No figures yet.");
    setAttribute(canvas, "aria-label", sentence());
    draw();
  }

  function sentence() {
    const parts = series.map(({ label }, index) => {
      const known = data.values[index].filter((value) => value !== null);
      if (!known.length) return `${label}: no figures`;
      const last = known[known.length - 1];
      const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
      return `${label}: now ${unit(last)}, lowest ${unit(Math.min(...known))}, highest ${unit(Math.max(...known))}, mean ${unit(mean)}`;
    });
    return `${title}, the last ${plural(data.minutes, "minute")}. ${parts.join("; ")}. Arrow keys read single values.`;
  }

  function readout() {
    const at = cursor ?? lastKnown();
    const shown = legend.map(({ value }, index) => {
      const figure = data.values[index][at] ?? null;
      const text = figure === null ? "–" : unit(figure);
      setText(value, text);
      return `${series[index].label} ${text}`;
    });
    const time = clock(data.from + (at + 0.5) * data.step);
    setText(when, cursor === null ? "" : time);
    return `${time}: ${shown.join(", ")}`;
  }

  function lastKnown() {
    for (let at = data.length - 1; at >= 0; at -= 1) {
      if (data.values.some((list) => list[at] !== null && list[at] !== undefined)) return at;
    }
    return data.length - 1;
  }

  function draw() {
    if (!data || !canvas.clientWidth) return;
    readout();
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const ink = getComputedStyle(canvas);
    const plane = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
    const most = data.values.reduce((top, list) => list.reduce((best, value) => Math.max(best, value ?? 0), top), 0);
    const ticks = valueTicks(most, bars ? 1 : 0);
    const top = ticks[ticks.length - 1];
    const x = (at) => plane.left + ((at - data.from) / Math.max(1, data.until - data.from)) * (plane.right - plane.left);
    const y = (value) => plane.bottom - (value / top) * (plane.bottom - plane.top);

    pen.font = `11px ${ink.fontFamily}`;
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const tick of ticks) {
      const at = Math.round(y(tick)) + 0.5;
      pen.strokeStyle = ink.getPropertyValue("border-top-color");
      pen.beginPath();
      pen.moveTo(plane.left, at);
      pen.lineTo(plane.right, at);
      pen.stroke();
      pen.fillStyle = ink.color;
      pen.fillText(unit(tick), plane.left - 6, at);
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    const count = Math.max(2, Math.floor((plane.right - plane.left) / 60));
    const times = timeTicks(data.from, data.until, count);
    const seconds = times[1] - times[0] < 60_000;
    for (const tick of times) {
      const at = Math.round(x(tick)) + 0.5;
      pen.beginPath();
      pen.moveTo(at, plane.bottom);
      pen.lineTo(at, plane.bottom + 4);
      pen.stroke();
      if (at > plane.left + 14 && at < plane.right - 14) pen.fillText(clock(tick, { seconds, now: tick }), at, plane.bottom + 6);
    }
    data.values.forEach((list, index) => {
      const colour = getComputedStyle(legend[index].element.firstChild).color;
      pen.strokeStyle = pen.fillStyle = colour;
      if (bars) drawBars(pen, list, x, y, plane);
      else drawLine(pen, list, x, y, DASHES[index % DASHES.length], series.length === 1 ? plane.bottom : null);
    });
    if (cursor !== null) {
      const at = Math.round(x(data.from + (cursor + 0.5) * data.step)) + 0.5;
      pen.setLineDash([]);
      pen.strokeStyle = ink.color;
      pen.beginPath();
      pen.moveTo(at, plane.top);
      pen.lineTo(at, plane.bottom);
      pen.stroke();
    }
  }

  function drawLine(pen, list, x, y, dash, floor) {
    pen.setLineDash(dash);
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    let run = [];
    const flush = () => {
      if (!run.length) return;
      pen.beginPath();
      run.forEach(([left, top], index) => (index ? pen.lineTo(left, top) : pen.moveTo(left, top)));
      if (run.length === 1) pen.lineTo(run[0][0] + 1, run[0][1]);
      pen.stroke();
      if (floor !== null) {
        pen.lineTo(run[run.length - 1][0], floor);
        pen.lineTo(run[0][0], floor);
        pen.globalAlpha = 0.14;
        pen.fill();
        pen.globalAlpha = 1;
      }
      run = [];
    };
    list.forEach((value, index) => {
      if (value === null) flush();
      else run.push([x(data.from + (index + 0.5) * data.step), y(value)]);
    });
    flush();
    pen.setLineDash([]);
  }

  function drawBars(pen, list, x, y, plane) {
    const width = Math.max(2, x(data.from + data.step) - x(data.from) - 1);
    list.forEach((value, index) => {
      if (value) pen.fillRect(x(data.from + index * data.step), y(value), width, plane.bottom - y(value));
    });
  }

  function point(event) {
    const box = canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    return data && share >= 0 && share <= 1 ? Math.min(data.length - 1, Math.floor(share * data.length)) : null;
  }

  function moveTo(at) {
    cursor = at;
    draw();
  }

  canvas.addEventListener("pointermove", (event) => moveTo(point(event)));
  canvas.addEventListener("pointerleave", () => moveTo(null));
  canvas.addEventListener("blur", () => moveTo(null));
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity };
    if (!data || !(event.key in steps)) return;
    event.preventDefault();
    const from = cursor ?? data.length - 1;
    moveTo(Math.max(0, Math.min(data.length - 1, from + steps[event.key])));
    announce(readout());
  });
  new ResizeObserver(draw).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  return { element, told, draw };
}
