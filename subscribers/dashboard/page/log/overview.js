// Where in the log errors, hits, gaps and alerts are, as pixels of a strip beside it. Gaps, and errors
// that nobody looked for, only in lines that are here. Pure.

import { ERROR, PAGE } from "./page.js";

export const KINDS = ["gap", "hit", "error", "alert"]; // the later ones lie above

// {gap, hit, error, alert: Map from a pixel to the first such line there; blank: [[from, to]] pixels}
export function overview({ store, rows, hits, errors, alerts }, height) {
  const found = { gap: new Map(), hit: new Map(), error: new Map(), alert: new Map() };
  const blank = [];
  const scale = height / Math.max(rows.height, height, 1);
  const put = (kind, top, line) => {
    const pixel = Math.min(height - 1, Math.floor(top * scale));
    if (!found[kind].has(pixel)) found[kind].set(pixel, line);
  };
  let top = 0;
  for (let index = 0; index < rows.heights.length; index += 1) {
    const layout = rows.layouts.get(index);
    const tall = rows.heights.get(index);
    const first = index * PAGE;
    const lines = hits.within(first, first + PAGE);
    const page = { first, page: store.page(index), lines, rowHeight: rows.view.rowHeight };
    if (layout) ofRows(layout, page, (kind, y, line) => put(kind, top + y, line));
    else if (tall > 0) {
      const near = (line) => top + ((line - first) / PAGE) * tall;
      for (const line of lines) put("hit", near(line), line);
      for (const line of errors.within(first, first + PAGE)) put("error", near(line), line);
      if (blank.at(-1)?.[1] === top) blank.at(-1)[1] += tall;
      else blank.push([top, top + tall]);
    }
    top += tall;
  }
  found.blank = blank.map((range) => range.map((at) => at * scale));
  for (const [line, { muted }] of alerts) {
    const at = muted ? undefined : rows.find(line);
    if (at) put("alert", at.top, line);
  }
  return found;
}

// The rows of a page that is here: they stand for more lines than one, or for less.
function ofRows({ rows, tops }, { page, first, lines, rowHeight }, put) {
  let at = 0;
  rows.forEach((row, i) => {
    const y = tops ? tops[i] : i * rowHeight;
    const next = row.open ? row.line + 1 : Math.min(row.next, first + PAGE);
    if (row.kind === "gap") put("gap", y, row.line);
    if (page?.errors) {
      for (let line = row.line; line < next; line += 1) {
        if (page.levels[line - first] < ERROR) continue;
        put("error", y, line);
        break;
      }
    }
    while (lines[at] < row.line) at += 1;
    if (lines[at] < next) put("hit", y, lines[at]);
  });
}

// What is meant by a press at a pixel: {kind, line} of the nearest mark within `reach` pixels.
export function nearest(found, pixel, reach) {
  for (let away = 0; away <= reach; away += 1) {
    for (const kind of KINDS.toReversed()) {
      const line = found[kind].get(pixel - away) ?? found[kind].get(pixel + away);
      if (line !== undefined) return { kind, line };
    }
  }
  return null;
}
