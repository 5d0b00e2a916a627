// The strip beside the log with the marks of its overview; a press on one goes there. It is for the
// pointer alone: keys have `e` and `n`.

import { el } from "./element.js";
import { KINDS, nearest, overview } from "./overview.js";

const AGAIN_MS = 250;
const REACH = 6; // pixels
const LANES = { gap: [0, 10], hit: [0, 5], error: [5, 5], alert: [0, 10] }; // left and width, of 10
const WORDS = { gap: "Lines that are missing", hit: "A hit", error: "An error", alert: "An alert" };
const SVG = "http://www.w3.org/2000/svg";

export class Ruler {
  // `view()`: {store, rows, hits, errors, alerts, generation, top, height} as they are now;
  // `on`: {line(line), place(share)}, the share being from 0 to 1 of the log's height
  constructor(view, on) {
    Object.assign(this, { view, on });
    this.found = null;
    this.timer = 0;
    this.drawn = "";
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("preserveAspectRatio", "none"); // a strip for fingers is wider
    this.paths = new Map(["blank", ...KINDS].map((kind) => [kind, this.path(kind)]));
    this.window = el("div", { class: "ruler-window" });
    this.element = el("div", { class: "ruler", aria: { hidden: "true" } }, [this.svg, this.window]);
    this.element.addEventListener("click", (event) => this.pressed(event.offsetY));
    this.element.addEventListener("pointermove", (event) => this.over(event.offsetY));
  }

  path(kind) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", `ruler-${kind}`);
    this.svg.append(path);
    return path;
  }

  // The window moved, or what is marked may have changed: that is drawn now and then.
  tell() {
    const { rows, top, height } = this.view();
    const scale = height / Math.max(rows.height, height, 1);
    this.window.hidden = rows.height <= height; // it shows everything
    this.window.style.height = `${Math.max(2, Math.round(height * scale))}px`;
    this.window.style.transform = `translateY(${Math.round(top * scale)}px)`;
    this.timer ||= setTimeout(() => this.draw(), AGAIN_MS);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = -1;
  }

  draw() {
    this.timer = 0;
    const view = this.view();
    const { store, rows, hits, errors, generation, height } = view;
    const sign = [rows.height, store.end, store.chars, store.amended, hits.count, errors.count, generation, height].join();
    if (sign === this.drawn || height === 0) return;
    this.drawn = sign;
    this.svg.setAttribute("viewBox", `0 0 10 ${height}`);
    this.svg.style.height = `${height}px`;
    this.found = overview(view, height);
    for (const kind of KINDS) {
      const [left, width] = LANES[kind];
      const marks = [...this.found[kind].keys()].map((y) => `M${left} ${Math.max(0, y - 1)}h${width}v3h-${width}z`);
      this.paths.get(kind).setAttribute("d", marks.join(""));
    }
    const blank = this.found.blank.map(([from, to]) => `M0 ${from}h10V${to}h-10z`);
    this.paths.get("blank").setAttribute("d", blank.join(""));
  }

  pressed(y) {
    const mark = this.found && nearest(this.found, Math.round(y), REACH);
    if (mark) this.on.line(mark.line);
    else this.on.place(y / this.view().height);
  }

  over(y) {
    const mark = this.found && nearest(this.found, Math.round(y), REACH);
    const blank = this.found?.blank.some(([from, to]) => from <= y && y < to);
    const rest = blank ? "Not loaded yet: errors in there are found with E" : "";
    const title = mark ? `${WORDS[mark.kind]}: line ${mark.line}` : rest;
    if (this.element.title !== title) this.element.title = title;
  }
}
