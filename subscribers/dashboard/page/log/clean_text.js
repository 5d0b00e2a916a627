// Text for the clipboard: lines as they were printed, whatever the window shows of them.

import { PAGE, pageOf } from "./page.js";

export const MOST = 50_000; // lines at once
const PORTION = 5000;

// Lines [first, next), those that are not here from the journal. A gap is a line that says so.
export async function cleanText(store, ask, first, next) {
  const texts = new Map();
  const gaps = [...store.gaps.within(first, next)];
  for (const [from, to] of store.missing(first, next)) {
    for (let at = from; at < to; ) {
      const answer = await ask(at, Math.min(PORTION, to - at), store.epoch);
      for (const frame of answer.frames) {
        if (frame.kind === "log") frame.lines.forEach((text, i) => texts.set(frame.first + i, text));
        else if (frame.kind === "gap") gaps.push(frame);
      }
      if (answer.next <= at) break;
      at = answer.next;
    }
  }
  const out = [];
  for (let line = first; line < next; line += 1) {
    const text = store.page(pageOf(line))?.texts[line % PAGE] ?? texts.get(line);
    if (text !== undefined) {
      out.push(text);
      continue;
    }
    const gap = gaps.find((other) => other.first <= line && line < other.next);
    const stop = Math.min(next, gap?.next ?? line + 1);
    out.push(`[raytap: lines ${line} to ${stop - 1} are missing: ${gap?.reason ?? "not in the journal"}]`);
    line = stop - 1;
  }
  return out.join("\n");
}
