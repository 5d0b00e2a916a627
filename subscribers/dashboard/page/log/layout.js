// One page's lines as the rows that are seen: folds, bars, gaps, marks, what is filtered. Pure.
//
// A row is {kind, line, next, key}: "line" | "fold" | "bar" | "gap" | "mark" | "pending"; it stands
// for lines [line, next) as far as they are known. A run that begins on an earlier page has its row
// there: `before` is the tail of the page before this one, {kind, start} or null.

import { INSIDE, PAGE, START } from "./page.js";
import { barEnd, foldEnd, settles } from "./runs.js";

const row = (kind, line, next, more) => ({ kind, line, next, key: `${kind[0]}${line}`, ...more });

// Whether the run is shown line by line.
export function isOpen(view, kind, start, end) {
  if (view.opened.has(start)) return true;
  if (view.closed.has(start)) return false;
  return kind === "fold" && view.hits.active && view.hits.any(start, end);
}

export function layoutPage(store, index, view, before) {
  const first = index * PAGE;
  const stop = Math.min(first + PAGE, store.end);
  const page = store.page(index);
  const { filter, hits } = view;
  const gaps = store.gaps.within(first, stop);
  const marks = store.marks.within(first, first + PAGE);
  const rows = [];
  let tail = null;
  let [gapAt, markAt] = [0, 0];

  const shows = (line) => filter.shows(page, line, hits);
  const pushLines = (from, to, more) => {
    for (let line = from; line < to; line += 1) {
      if (shows(line)) rows.push(row("line", line, line + 1, more));
    }
  };
  const pushRun = (kind, start, from, end) => {
    const open = isOpen(view, kind, start, end);
    const to = Math.min(end, first + PAGE);
    const heads = from === start;
    let shown = false;
    for (let line = from; line < to && !shown; line += 1) shown = shows(line);
    if (shown || (heads && open && filter.forced >= start && filter.forced < end)) {
      if (heads) rows.push(row(kind, start, end, { open }));
      // An open traceback's first row is its first line; a bar's row stays above its raw lines.
      if (open) pushLines(heads && kind === "fold" ? start + 1 : from, to, { run: start });
    }
    return to;
  };

  let line = first;
  while (line < stop) {
    while (markAt < marks.length && marks[markAt].line <= line) pushMark(rows, marks[markAt++]);
    const gap = gaps[gapAt];
    if (gap && gap.first <= line) {
      if (gap.first >= first) rows.push(row("gap", gap.first, gap.next, { gap }));
      line = Math.min(gap.next, stop);
      gapAt += 1;
      tail = null;
      continue;
    }
    const i = line - first;
    if (!page?.has(i)) {
      const from = line;
      const limit = Math.min(stop, gap?.first ?? stop);
      while (line < limit && !page?.has(line - first)) line += 1;
      rows.push(row("pending", from, line));
      tail = null;
      continue;
    }
    const goesOn = i === 0 ? before : null;
    if (page.roles[i] === START || page.roles[i] === INSIDE) {
      const start = page.roles[i] === INSIDE && goesOn?.kind === "fold" ? goesOn.start : line;
      const end = foldEnd(store, line);
      tail = { kind: "fold", start };
      if (start === line && end === line + 1) {
        pushLines(line, end);
        line = end;
      } else line = pushRun("fold", start, line, end);
    } else if (page.refreshes(i) || (goesOn?.kind === "bar" && settles(store, line))) {
      const start = goesOn?.kind === "bar" ? goesOn.start : line;
      const end = page.refreshes(i) ? barEnd(store, line) : line + 1;
      const last = Math.min(end, first + PAGE) - 1 - first;
      tail = page.refreshes(last) ? { kind: "bar", start } : null;
      line = pushRun("bar", start, line, end);
    } else {
      tail = null;
      pushLines(line, line + 1);
      line += 1;
    }
  }
  while (markAt < marks.length) pushMark(rows, marks[markAt++]);
  return { rows, tail: stop === first + PAGE ? tail : null };
}

function pushMark(rows, mark) {
  rows.push({ ...row("mark", mark.line, mark.line, { mark }), key: `m${mark.id}` });
}
