// Runs of lines that are one thing: a traceback, and the refreshes of a progress bar. Over the
// pages that are here; pure.

import { INSIDE, PAGE, pageOf } from "./page.js";
import { isKin } from "./progress.js";

// Walk on from `line` while `goes(page, i)` holds for lines that are here; the first that fails.
function walk(store, line, goes) {
  let page;
  for (let at = line; ; at += 1) {
    if (!page || at >= page.first + PAGE) page = store.page(pageOf(at));
    const i = at % PAGE;
    if (!page || !page.has(i) || !goes(page, i)) return at;
  }
}

// The line after the traceback that `start` begins or goes on with.
export function foldEnd(store, start) {
  return walk(store, start + 1, (page, i) => page.roles[i] === INSIDE);
}

// The line after a bar's refreshes, its last state (which ends in a line end) included.
export function barEnd(store, start) {
  const end = walk(store, start, (page, i) => page.refreshes(i));
  return end > start && settles(store, end) ? end + 1 : end;
}

// Whether `line` is the last state of the bar that was refreshed just before: what else was printed
// then is a line like others.
export function settles(store, line) {
  const page = store.page(pageOf(line));
  if (!page?.has(line % PAGE) || !page.settles(line % PAGE)) return false;
  const before = store.text(line - 1);
  return before !== undefined && isKin(before, page.texts[line % PAGE]);
}

// The newest state of a bar: its last line that is not blank.
export function barText(store, start, end) {
  for (let line = end - 1; line >= start; line -= 1) {
    const text = store.text(line);
    if (text === undefined) break;
    if (text.trim() !== "") return { line, text };
  }
  return { line: start, text: store.text(start) ?? "" };
}
