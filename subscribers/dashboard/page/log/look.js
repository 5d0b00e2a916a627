// How rows look and how high they are: from the settings and from what the browser measures.

import { Measure } from "./measure.js";

export class Look {
  constructor(pane) {
    this.pane = pane;
    this.settings = { ...pane.options.settings };
    this.measure = new Measure(pane.scroller, () => this.apply());
    this.digits = 0;
  }

  set(settings) {
    this.settings = { ...settings };
    this.apply();
  }

  flip(name) {
    this.set({ ...this.settings, [name]: !this.settings[name] });
    this.pane.options.onSettings?.({ [name]: this.settings[name] });
  }

  apply() {
    const { root, view, viewport, rows, commands, filter } = this.pane;
    const { wrap, numbers, time } = this.settings;
    root.classList.toggle("wrap", wrap);
    root.classList.toggle("no-numbers", !numbers);
    root.classList.toggle("no-time", !time);
    this.digits = this.neededDigits;
    root.style.setProperty("--digits", String(this.digits));
    const size = this.measure.read();
    const columns = wrap ? size.columns : 0;
    if (columns !== view.columns || size.rowHeight !== view.rowHeight) {
      Object.assign(view, { columns, rowHeight: size.rowHeight });
      viewport.widen(0);
      rows.rebuild();
    }
    commands.toolbar.show(this.settings, filter.level);
    viewport.schedule();
  }

  get neededDigits() {
    return String(Math.max(999, this.pane.store.end)).length;
  }

  // The log has grown: its numbers may need more room.
  grown() {
    if (this.neededDigits > this.digits) this.apply();
  }

  rendered(slice) {
    const { view, viewport, store } = this.pane;
    if (view.columns === 0) viewport.widen(this.measure.width(slice, store, view.cut));
  }

  stop() {
    this.measure.stop();
  }
}
