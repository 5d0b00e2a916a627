// A page: PAGE lines of a log, at fixed places, as columns. Pure.

export const PAGE = 1000;
export const WARNING = 3;
export const ERROR = 4;

export const CR = 1; // ended in a lone carriage return: it was overwritten
export const PARTIAL = 2; // has no end yet

export const START = 1; // role: the first line of a traceback
export const INSIDE = 2; // role: goes on with one

export const pageOf = (line) => Math.floor(line / PAGE);

export class Page {
  constructor(index) {
    this.index = index;
    this.first = index * PAGE;
    this.count = 0; // lines that are here
    this.chars = 0;
    this.errors = 0;
    this.texts = new Array(PAGE).fill(undefined);
    this.levels = new Uint8Array(PAGE);
    this.roles = new Uint8Array(PAGE);
    this.flags = new Uint8Array(PAGE);
    this.workers = new Int16Array(PAGE).fill(-1);
    this.prefixes = new Uint16Array(PAGE);
    this.times = new Float64Array(PAGE);
    this.repeats = new Map();
  }

  has(i) {
    return this.texts[i] !== undefined;
  }

  // Put one line in place; what was there is replaced.
  put(i, text, { level, role, flags, time }) {
    const old = this.texts[i];
    if (old === undefined) this.count += 1;
    else {
      this.chars -= old.length;
      if (this.levels[i] >= ERROR) this.errors -= 1;
      this.workers[i] = -1;
      this.prefixes[i] = 0;
      this.repeats.delete(i);
    }
    this.texts[i] = text;
    this.chars += text.length;
    if (level >= ERROR) this.errors += 1;
    this.levels[i] = level;
    this.roles[i] = role;
    this.flags[i] = flags;
    this.times[i] = time;
  }

  // A refresh of a progress bar. One that warns is a line like others: it must not be hidden.
  refreshes(i) {
    return (this.flags[i] & CR) !== 0 && this.levels[i] < WARNING && this.roles[i] === 0;
  }

  // What may end a run of refreshes: the bar's last state, with a line end.
  settles(i) {
    return (this.flags[i] & CR) === 0 && this.levels[i] < WARNING && this.roles[i] === 0;
  }
}
