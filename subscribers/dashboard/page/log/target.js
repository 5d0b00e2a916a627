// The line that is wanted in the window: what hides it is opened, and it is fetched if need be.

import { pageOf } from "./page.js";

export class Target {
  // `wanted`: {first, next} to be shown once there are lines, or null
  constructor(pane, wanted) {
    Object.assign(this, { pane, wanted });
    this.line = null; // to be shown once it is here
  }

  // A person moved the window, or it is another log.
  forget() {
    this.line = null;
  }

  // The log's first lines are here.
  begin() {
    const { pane, wanted } = this;
    this.wanted = null;
    if (!wanted || pane.store.end === 0 || pane.commands.moving.beyond(wanted.first)) return;
    pane.state.selection = wanted;
    pane.showPicked();
    this.goTo(wanted.first);
  }

  // Lines came in.
  loaded() {
    const { line } = this;
    if (line === null || this.pane.store.text(line) === undefined) return;
    this.line = null;
    this.goTo(line);
  }

  goTo(wanted) {
    const { store, filter, hits, rows, viewport, report } = this.pane;
    const line = Math.max(0, Math.min(wanted, store.end - 1));
    const page = store.page(pageOf(line));
    if (store.text(line) === undefined) {
      if (!store.gaps.at(line)) this.line = line;
    } else {
      if (filter.active && !filter.shows(page, line, hits)) {
        filter.forced = line;
        rows.refresh([pageOf(line)]);
      }
      this.unfold(line);
    }
    report.caughtUp();
    viewport.show(line);
    report.tell();
  }

  unfold(line) {
    const row = this.pane.rows.find(line)?.row;
    const inside = row && !row.open && row.line !== line;
    if (inside && (row.kind === "fold" || row.kind === "bar")) this.pane.setOpen(row, true);
  }
}
