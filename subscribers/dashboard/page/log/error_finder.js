// The next line of level ERROR in a direction, also where nothing is here: the journal is read
// through for its levels, without keeping the lines.

import { Hits } from "./hits.js";
import { ERROR, PAGE, pageOf } from "./page.js";

const PORTION = 5000;
const GRAVE = /[45]/;

export class ErrorFinder {
  constructor(store, ask) {
    this.store = store;
    this.ask = ask;
    this.turn = 0;
    this.seen = new Hits(); // where it has read through
  }

  cancel() {
    this.turn += 1;
  }

  // The line, or null where there is none; undefined where it was cancelled. A traceback counts
  // once. `looked(line)`: how far it is.
  async find(line, direction, looked) {
    const turn = (this.turn += 1);
    let at = line;
    while (at >= 0 && at < this.store.end) {
      const index = pageOf(at);
      const [first, stop] = [index * PAGE, Math.min((index + 1) * PAGE, this.store.end)];
      const range = direction > 0 ? [at, stop] : [first, at + 1];
      if (this.store.missing(...range).length === 0) {
        const found = this.onPage(index, range, direction);
        if (found !== undefined) return found;
        at = direction > 0 ? stop : first - 1;
        continue;
      }
      const from = direction > 0 ? at : Math.max(0, at + 1 - PORTION);
      const limit = direction > 0 ? PORTION : at + 1 - from;
      looked(at);
      const answer = await this.ask(from, limit, this.store.epoch);
      if (turn !== this.turn) return undefined;
      const found = inFrames(answer.frames, from, from + limit);
      this.seen.add(found);
      if (found.length > 0) return direction > 0 ? found[0] : found.at(-1);
      at = direction > 0 ? Math.max(answer.next, from + 1) : from - 1;
    }
    return null;
  }

  onPage(index, [first, next], direction) {
    const page = this.store.page(index);
    if (!page || page.errors === 0) return undefined;
    for (let at = direction > 0 ? first : next - 1; at >= first && at < next; at += direction) {
      const i = at - page.first;
      if (page.levels[i] >= ERROR && page.roles[i] !== 2) return at;
    }
    return undefined;
  }
}

function inFrames(frames, from, to) {
  const found = [];
  for (const { kind, first, levels, roles } of frames) {
    if (kind !== "log" || !levels || !GRAVE.test(levels)) continue;
    for (let i = 0; i < levels.length; i += 1) {
      if (levels.charCodeAt(i) - 48 >= ERROR && roles?.[i] !== "t") found.push(first + i);
    }
  }
  return found.filter((line) => line >= from && line < to);
}
