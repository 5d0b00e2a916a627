// Which lines to fetch, in order of need, for what the window shows. Pure.

import { PAGE } from "./page.js";

const AT_A_GLANCE = 5; // pages asked for at once while few of their lines are shown

const absent = (row) => row.kind === "blank" || row.kind === "pending";

// Ranges [first, next) for a slice of rows. `upward`: what is lower is more needed. `sparse`: most
// lines are not shown, so many are needed.
export function wishes(slice, { end, upward, sparse }) {
  const pages = [...new Set(slice.filter(({ row }) => absent(row)).map(({ page }) => page))];
  if (upward) pages.reverse();
  const found = [];
  if (sparse) {
    const rest = new Set(pages);
    for (const page of pages) {
      if (!rest.has(page)) continue;
      let [low, high] = [page, page];
      while (rest.has(low - 1) && high - low + 1 < AT_A_GLANCE) low -= 1;
      while (rest.has(high + 1) && high - low + 1 < AT_A_GLANCE) high += 1;
      for (let at = low; at <= high; at += 1) rest.delete(at);
      found.push([low * PAGE, Math.min(end, (high + 1) * PAGE)]);
    }
    return found;
  }
  for (const page of pages) found.push([page * PAGE, Math.min(end, (page + 1) * PAGE)]);
  if (slice.length > 0) {
    const [first, last] = [slice[0].page, slice.at(-1).page];
    if (first > 0) found.push([(first - 1) * PAGE, first * PAGE]);
    const beyond = (last + 1) * PAGE;
    if (beyond < end) found.push([beyond, Math.min(end, beyond + PAGE)]);
  }
  return found;
}
