// All rows of the log, of pages that are here and of those that are not: which one lies at a height,
// at what height a line is. Pure; heights are pixels.

import { Heights } from "./heights.js";
import { layoutPage } from "./layout.js";
import { PAGE, pageOf } from "./page.js";

const TAB = 8;

// How many rows of `columns` characters a text fills, nearly: the browser knows better.
export function wrapped(text, columns) {
  let width = text.length;
  if (width <= columns / TAB) return 1;
  for (let at = text.indexOf("\t"); at >= 0; at = text.indexOf("\t", at + 1)) width += TAB / 2;
  return Math.max(1, Math.ceil(width / columns));
}

export class Rows {
  // `view`: {filter, hits, opened, closed, rowHeight, columns (0: lines are not wrapped), cut}
  constructor(store, view) {
    this.store = store;
    this.view = view;
    this.heights = new Heights();
    this.layouts = new Map(); // page index → {rows, tail, tops}; of pages that are not blank
    this.tails = new Map(); // of pages that were laid out, also after they went
    this.rebuild();
  }

  get height() {
    return this.heights.total;
  }

  // Everything anew: the filter, the hits, the folds or the width have changed.
  rebuild() {
    this.layouts.clear();
    this.tails.clear();
    const count = this.store.pageCount;
    const here = [];
    for (let index = 0; index < count; index += 1) if (!this.isBlank(index)) here.push(index);
    this.heights.reset([]);
    for (const index of here) this.layOut(index);
    this.density = this.measureDensity(here);
    for (let index = 0; index < count; index += 1) {
      if (!this.layouts.has(index)) this.heights.set(index, this.blankHeight(index));
    }
  }

  // Pages that changed in the store, those that were let go included.
  refresh(indices) {
    for (const index of [...indices].sort((a, b) => a - b)) {
      if (index >= this.store.pageCount) continue;
      let at = index;
      let changed;
      do {
        const before = JSON.stringify(this.tails.get(at) ?? null);
        this.place(at);
        changed = before !== JSON.stringify(this.tails.get(at) ?? null);
        at += 1;
      } while (changed && this.layouts.has(at));
      // A run that ends on this page has its row, which tells its length, on one before.
      const head = this.tails.get(index - 1);
      if (head && this.layouts.has(pageOf(head.start))) this.place(pageOf(head.start));
    }
  }

  // Pages that the store let go of keep their height.
  forget(indices) {
    for (const index of indices) this.layouts.delete(index);
  }

  place(index) {
    if (this.isBlank(index)) {
      this.layouts.delete(index);
      this.heights.set(index, this.blankHeight(index));
    } else this.layOut(index);
  }

  isBlank(index) {
    const page = this.store.page(index);
    if (page?.count) return false;
    const first = index * PAGE;
    if (this.store.missing(first, first + PAGE).length === 0) return false;
    // A gap that goes on to the next page has its row here.
    return !(this.store.gaps.at(first + PAGE - 1)?.next > first + PAGE);
  }

  layOut(index) {
    const layout = layoutPage(this.store, index, this.view, this.tails.get(index - 1) ?? null);
    const { rowHeight } = this.view;
    layout.tops = null;
    if (this.view.columns > 0) {
      layout.tops = new Float64Array(layout.rows.length + 1);
      layout.rows.forEach((row, i) => {
        layout.tops[i + 1] = layout.tops[i] + this.guess(row) * rowHeight;
      });
    }
    this.layouts.set(index, layout);
    this.tails.set(index, layout.tail);
    this.heights.set(index, layout.tops?.at(-1) ?? layout.rows.length * rowHeight);
  }

  guess(row) {
    if (row.kind !== "line") return 1;
    return wrapped((this.store.text(row.line) ?? "").slice(0, this.view.cut), this.view.columns);
  }

  // The share of lines that are shown, from what is here.
  measureDensity(indices) {
    if (!this.view.filter.active) return 1;
    let [rows, lines] = [0, 0];
    for (const index of indices) {
      rows += this.layouts.get(index).rows.length;
      lines += this.store.page(index)?.count ?? 0;
    }
    return lines > 0 ? Math.min(1, rows / lines) : 0.05;
  }

  blankHeight(index) {
    const { filter, hits, rowHeight } = this.view;
    if (filter.hides(index, hits)) return 0;
    const first = index * PAGE;
    let lines = 0;
    for (const [from, to] of this.store.missing(first, first + PAGE)) lines += to - from;
    return lines === 0 ? 0 : Math.max(1, Math.round(lines * this.density)) * rowHeight;
  }

  // The page at a height, and the rows of it: {row, top, height, page, index}.
  slice(from, to) {
    const found = [];
    const total = this.height;
    if (total === 0) return found;
    let page = this.heights.at(Math.max(0, Math.min(from, total - 1)));
    let top = this.heights.before(page);
    for (; page < this.heights.length && top < to; page += 1) {
      this.pageSlice(found, page, top, from, to);
      top += this.heights.get(page);
    }
    return found;
  }

  pageSlice(found, page, pageTop, from, to) {
    const layout = this.layouts.get(page);
    const { rowHeight } = this.view;
    const count = layout ? layout.rows.length : Math.round(this.heights.get(page) / rowHeight);
    const tops = layout?.tops;
    let i = tops ? below(tops, from - pageTop) : Math.max(0, Math.floor((from - pageTop) / rowHeight));
    for (; i < count; i += 1) {
      const top = pageTop + (tops ? tops[i] : i * rowHeight);
      if (top >= to) break;
      const height = tops ? tops[i + 1] - tops[i] : rowHeight;
      found.push({ row: layout ? layout.rows[i] : this.blank(page, i, count), top, height, page, index: i });
    }
  }

  blank(page, i, count) {
    const first = page * PAGE;
    const lines = Math.min(PAGE, this.store.end - first);
    const line = first + Math.floor((i * lines) / count);
    return { kind: "blank", line, next: first + Math.floor(((i + 1) * lines) / count), key: `?${line}` };
  }

  // The row that shows `line` (or, where none does, the next one that is shown; the last one at
  // the end), by its key where that is still there: {row, top, height} or undefined.
  find(line, key) {
    let page = Math.min(pageOf(Math.max(0, line)), this.heights.length - 1);
    const layout = this.layouts.get(page);
    if (layout && !holds(layout, line, key) && !(layout.rows[0]?.line <= line)) {
      const start = this.tails.get(page - 1)?.start ?? this.store.gaps.at(line)?.first;
      if (start !== undefined && this.layouts.has(pageOf(start))) page = pageOf(start);
    }
    for (let at = page; at < this.heights.length; at += 1) {
      const found = this.findOn(at, line, key);
      if (found) return found;
    }
    const total = this.height;
    return this.slice(total - 1, total)[0];
  }

  findOn(page, line, key) {
    const layout = this.layouts.get(page);
    const { rowHeight } = this.view;
    const top = this.heights.before(page);
    if (!layout) {
      const count = Math.round(this.heights.get(page) / rowHeight);
      if (count === 0) return undefined;
      const lines = Math.min(PAGE, this.store.end - page * PAGE);
      const near = Math.floor(((line - page * PAGE) / lines) * count);
      let i = Math.max(0, Math.min(count - 1, near));
      if (i + 1 < count && this.blank(page, i, count).next <= line) i += 1; // a fraction cut off
      return { row: this.blank(page, i, count), top: top + i * rowHeight, height: rowHeight, page, index: i };
    }
    let i = key ? layout.rows.findIndex((row) => row.key === key) : -1;
    if (i < 0) i = innermost(layout.rows, line);
    if (i < 0) return undefined;
    const tops = layout.tops;
    return {
      row: layout.rows[i],
      top: top + (tops ? tops[i] : i * rowHeight),
      height: tops ? tops[i + 1] - tops[i] : rowHeight,
      page,
      index: i,
    };
  }

  // A row turned out to be of another height; only where lines are wrapped. Whether that is new.
  measured(page, index, height) {
    const tops = this.layouts.get(page)?.tops;
    if (!tops) return false;
    const change = height - (tops[index + 1] - tops[index]);
    if (Math.abs(change) < 0.5) return false;
    for (let i = index + 1; i < tops.length; i += 1) tops[i] += change;
    this.heights.set(page, tops[tops.length - 1]);
    return true;
  }
}

// The first row that ends beyond an offset.
function below(tops, offset) {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

const holds = (layout, line, key) =>
  layout.rows.some((row) => (key ? row.key === key : row.line === line && row.kind === "line"));

// The row that shows a line: its own rather than that of its fold; else the next one.
function innermost(rows, line) {
  let found = -1;
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i];
    if (row.kind === "mark") continue;
    if (row.line <= line && line < row.next) {
      found = i;
      if (row.kind === "line") return i;
    } else if (row.line > line) return found >= 0 ? found : i;
  }
  return found;
}
