// Sizes of what is drawn, from one row that nobody sees: pixels.

import { el } from "./element.js";

const PROBE = 100;
const WIDE = /[^\u0000-\u02ff]/;

export class Measure {
  constructor(scroller, changed) {
    this.scroller = scroller;
    this.letters = el("span", { class: "text", text: "0".repeat(PROBE) });
    this.probe = el("div", { class: "row probe", aria: { hidden: "true" } }, [
      el("span", { class: "number", text: "0" }), el("span", { class: "time", text: "00:00:00.000" }), this.letters,
    ]);
    scroller.append(this.probe);
    this.observer = new ResizeObserver(() => {
      if (scroller.clientWidth === this.seen && scroller.clientHeight === this.seenHeight) return;
      changed();
    });
    this.observer.observe(scroller);
  }

  stop() {
    this.observer.disconnect();
  }

  // {rowHeight, letter, gutter, columns: letters that fit beside the gutter}
  read() {
    const { scroller, probe, letters } = this;
    this.seen = scroller.clientWidth;
    this.seenHeight = scroller.clientHeight;
    const box = letters.getBoundingClientRect();
    const padding = parseFloat(getComputedStyle(letters).paddingLeft) + parseFloat(getComputedStyle(letters).paddingRight);
    const letter = (box.width - padding) / PROBE || 8;
    this.letter = letter;
    this.gutter = box.left - probe.getBoundingClientRect().left + padding;
    const columns = Math.max(20, Math.floor((this.seen - this.gutter) / letter));
    return { rowHeight: probe.getBoundingClientRect().height || 20, letter, gutter: this.gutter, columns };
  }

  // How wide the widest of some rows is, nearly.
  width(slice, store, cut) {
    let most = 0;
    for (const { row } of slice) {
      if (row.kind !== "line") continue;
      const text = store.text(row.line) ?? "";
      let letters = Math.min(text.length, cut + 30);
      if (letters * 2 > most) {
        for (let at = text.indexOf("\t"); at >= 0; at = text.indexOf("\t", at + 1)) letters += 7;
        if (WIDE.test(text)) letters *= 2;
      }
      most = Math.max(most, letters);
    }
    return Math.ceil(this.gutter + (most + 2) * this.letter);
  }
}
