// What is here of one log: pages of lines, gaps and marks, bounded in characters. Pure: it asks
// nobody for anything; `missing` says what would have to be asked for.

import { Gaps } from "./gaps.js";
import { Marks } from "./marks.js";
import { CR, INSIDE, PAGE, PARTIAL, Page, START, pageOf } from "./page.js";
import { Workers } from "./workers.js";

const ROLES = { T: START, t: INSIDE };
const MOST_CHARS = 32_000_000;
const MOST_PAGES = 200;

export class Store {
  constructor({ mostChars = MOST_CHARS, mostPages = MOST_PAGES } = {}) {
    this.mostChars = mostChars;
    this.mostPages = mostPages;
    this.gaps = new Gaps();
    this.marks = new Marks();
    this.workers = new Workers();
    this.past = new Set(); // epochs that were left
    this.epoch = "";
    this.start();
  }

  start() {
    this.pages = new Map();
    this.chars = 0;
    this.end = 0; // the number of the line that comes next
    this.amended = 0; // grows when a line that was here changes
    this.status = ""; // the newest that was said, in whatever order frames come
    this.ended = false;
    this.saidAt = 0;
    this.touched = new Set(); // indices of pages that changed; the reader clears it
    this.gaps.clear();
    this.marks.clear();
    this.workers.clear();
  }

  // Take a frame of any kind, live or from the journal; false where it is of a file that was left.
  take(frame, { journal = false } = {}) {
    if (!this.belongs(frame)) return false;
    switch (frame.kind) {
      case "log":
        this.takeLines(frame);
        break;
      case "gap":
        this.takeGap({ ...frame, final: journal });
        break;
      case "heartbeat":
        this.grow(frame.first);
        break;
      default:
        this.takeMark(frame);
    }
    return true;
  }

  belongs(frame) {
    const epoch = frame.epoch ?? "";
    if (epoch === "" || epoch === this.epoch) return true;
    if (this.past.has(epoch)) return false;
    if (this.epoch !== "") {
      this.past.add(this.epoch);
      this.start();
    }
    this.epoch = epoch;
    return true;
  }

  grow(end) {
    if (end <= this.end) return;
    const from = pageOf(this.end);
    for (let index = from; index <= pageOf(end); index += 1) this.touched.add(index);
    this.end = end;
  }

  takeLines(frame) {
    const { first, lines, levels, roles } = frame;
    if (frame.ts > this.saidAt) this.ended = false;
    this.grow(first + lines.length);
    const refreshed = new Set(frame.cr);
    let page;
    for (let i = 0; i < lines.length; i += 1) {
      const line = first + i;
      if (!page || line >= page.first + PAGE) page = this.openPage(pageOf(line));
      const at = line - page.first;
      const old = page.texts[at];
      if (old !== undefined && old !== lines[i]) this.amended += 1;
      const partial = frame.partial && i === lines.length - 1;
      const before = page.chars;
      page.put(at, lines[i], {
        level: levels ? levels.charCodeAt(i) - 48 : 0,
        role: (roles && ROLES[roles[i]]) || 0,
        flags: (refreshed.has(i) ? CR : 0) | (partial ? PARTIAL : 0),
        time: frame.ts,
      });
      this.chars += page.chars - before;
    }
    for (const [i, name, length] of frame.workers ?? []) {
      const line = first + i;
      const id = this.workers.id(frame.worker_names[name]);
      if (id < 0) continue;
      const target = this.pages.get(pageOf(line));
      target.workers[line - target.first] = id;
      target.prefixes[line - target.first] = length;
      this.workers.list[id].lines += 1;
    }
    for (const [i, times] of frame.repeats ?? []) {
      const target = this.pages.get(pageOf(first + i));
      target.repeats.set(first + i - target.first, times);
    }
    this.gaps.cut(first, first + lines.length);
    this.touch(first, first + lines.length);
  }

  takeGap({ first, next, reason = "", message = "", ts = 0, final }) {
    this.grow(next);
    this.gaps.add({ first, next, reason, message, ts, final });
    for (const [from, to] of this.held(first, next)) this.gaps.cut(from, to);
    this.touch(first, next);
  }

  takeMark(frame) {
    this.grow(frame.first);
    if ((frame.kind === "status" || frame.kind === "end") && frame.ts >= this.saidAt) {
      this.status = frame.status || this.status;
      this.ended = frame.kind === "end";
      this.saidAt = frame.ts;
    }
    if (this.marks.add(frame)) this.touch(frame.first, frame.first + 1);
  }

  openPage(index) {
    let page = this.pages.get(index);
    if (!page) this.pages.set(index, (page = new Page(index)));
    return page;
  }

  touch(first, next) {
    for (let index = pageOf(first); index * PAGE < next; index += 1) this.touched.add(index);
  }

  // Lines that came while this client was too slow: they are there, and can be asked for.
  skip(epoch, next) {
    if (epoch === this.epoch) this.grow(next);
  }

  // The journal was asked for [first, next) and has answered: what is not here now is nowhere.
  settle(first, next) {
    for (const [from, to] of this.missing(first, next)) {
      this.takeGap({ first: from, next: to, reason: "missing", final: true });
    }
  }

  // A gap's lines may be in the journal after all: they count as not here, so someone asks.
  doubt(gap) {
    this.gaps.cut(gap.first, gap.next);
    this.touch(gap.first, gap.next);
  }

  // Runs of lines in [first, next) whose text is here.
  held(first, next) {
    const runs = [];
    for (let index = pageOf(first); index * PAGE < next; index += 1) {
      const page = this.pages.get(index);
      if (!page) continue;
      const stop = Math.min(PAGE, next - page.first);
      let from = -1;
      for (let i = Math.max(0, first - page.first); i <= stop; i += 1) {
        const here = i < stop && page.has(i);
        if (here && from < 0) from = i;
        else if (!here && from >= 0) {
          runs.push([page.first + from, page.first + i]);
          from = -1;
        }
      }
    }
    return runs;
  }

  // Ranges in [first, next) that are neither here nor a gap.
  missing(first, next) {
    const stop = Math.min(next, this.end);
    const covered = [
      ...this.held(first, stop),
      ...this.gaps.within(first, stop).map((gap) => [gap.first, gap.next]),
    ].sort((a, b) => a[0] - b[0]);
    const found = [];
    let at = first;
    for (const [from, to] of covered) {
      if (from > at) found.push([at, from]);
      at = Math.max(at, to);
    }
    if (at < stop) found.push([at, stop]);
    return found;
  }

  // Where the log goes on, as a stream's id: a last line without an end comes once more.
  get position() {
    if (!this.epoch) return "";
    const last = this.end - 1;
    const open = (this.pages.get(pageOf(last))?.flags[last % PAGE] ?? 0) & PARTIAL;
    return `${this.epoch}:${this.end}${open ? "p" : ""}`;
  }

  get pageCount() {
    return pageOf(this.end) + 1; // the last one may have no line yet, but a mark
  }

  page(index) {
    return this.pages.get(index);
  }

  text(line) {
    return this.pages.get(pageOf(line))?.texts[line % PAGE];
  }

  // Let go of pages until the bounds hold, those with the greatest `distance(index)` first; pages
  // at distance 0 stay. The indices that went.
  shrink(distance) {
    if (this.chars <= this.mostChars && this.pages.size <= this.mostPages) return [];
    const order = [...this.pages.keys()]
      .map((index) => [distance(index), index])
      .filter(([far]) => far > 0)
      .sort((a, b) => b[0] - a[0]);
    const gone = [];
    for (const [, index] of order) {
      if (this.chars <= this.mostChars && this.pages.size <= this.mostPages) break;
      this.chars -= this.pages.get(index).chars;
      this.pages.delete(index);
      gone.push(index);
    }
    return gone;
  }
}
