// Going through the log: the cursor, pages, the ends, a line by its number.

import { number } from "./words.js";

export class Moving {
  // `say(text)`: a short word to the reader.
  constructor(pane, say) {
    this.pane = pane;
    this.say = say;
    this.cursorKey = ""; // the row that the cursor is on: one line may have several
  }

  down() {
    this.move(1);
  }

  up() {
    this.move(-1);
  }

  // The cursor goes by a row; where there is none in sight it comes in at the edge.
  move(step) {
    const { viewport, state, rows } = this.pane;
    const seen = viewport.visible.filter(({ row }) => row.kind !== "pending" && row.kind !== "blank");
    if (seen.length === 0) return;
    const here = seen.findIndex(({ row }) => row.key === this.cursorKey && row.line === state.cursor);
    let next;
    if (here < 0) next = step > 0 ? seen[0] : seen.at(-1);
    else {
      const at = seen[here].top + (step > 0 ? seen[here].height + 1 : -1);
      if (at < 0 || at >= rows.height) return;
      [next] = rows.slice(at, at + 1);
    }
    if (step < 0) viewport.unfollow();
    this.setCursor(next.row);
    viewport.bring(next);
    this.pane.scrolled();
  }

  setCursor(row) {
    this.cursorKey = row.key;
    this.pane.state.cursor = row.line;
    this.pane.redraw();
  }

  pageDown() {
    const { viewport, view } = this.pane;
    viewport.scrollBy(viewport.scroller.clientHeight - 2 * view.rowHeight);
  }

  pageUp() {
    const { viewport, view } = this.pane;
    viewport.scrollBy(2 * view.rowHeight - viewport.scroller.clientHeight);
  }

  begin() {
    const { viewport } = this.pane;
    viewport.settle(0);
    this.pane.scrolled();
  }

  // To a share of the log's height, from 0 to 1.
  place(share) {
    const { viewport, rows } = this.pane;
    viewport.settle(share * Math.max(rows.height, viewport.height) - viewport.height / 2);
    this.pane.scrolled();
  }

  follow() {
    const { pane } = this;
    pane.viewport.follow();
    pane.scrolled();
  }

  toggleFollow() {
    const { pane } = this;
    if (!pane.viewport.following) this.follow();
    else {
      pane.viewport.unfollow();
      pane.report.tell();
      this.say("Following is off");
    }
  }

  // To a line, by its number; the cursor goes there too.
  jump(line) {
    const { pane } = this;
    if (pane.store.end === 0) {
      pane.target.wanted = { first: line, next: line + 1 };
      return;
    }
    if (this.beyond(line)) return;
    const there = Math.max(0, line);
    pane.state.selection = { first: there, next: there + 1 };
    pane.state.cursor = there;
    this.cursorKey = `l${there}`;
    pane.showPicked();
    pane.redraw();
    pane.target.goTo(there);
  }

  // The cursor goes to a line, and the window with it.
  point(line) {
    const { pane } = this;
    pane.state.cursor = line;
    pane.redraw();
    pane.target.goTo(line);
    this.cursorKey = pane.rows.find(line)?.row.key ?? `l${line}`;
  }

  // A line that there is not (yet): that is said, and the end shown; whether it is one.
  beyond(line) {
    const { store } = this.pane;
    if (line < store.end) return false;
    this.follow();
    this.say(`There is no line ${number(line)}${store.ended ? "" : " yet"}`);
    return true;
  }

  // Whether the cursor is on this row.
  isOn(row) {
    return row.key === this.cursorKey && row.line === this.pane.state.cursor;
  }
}
