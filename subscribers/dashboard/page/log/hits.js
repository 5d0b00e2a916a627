// The lines a search has found, in order, and how far it has looked. Pure.

const MOST = 200_000;

export class Hits {
  constructor() {
    this.clear();
  }

  clear() {
    this.lines = [];
    this.swept = 0; // every hit before this line is known
    this.full = false; // there are more than are kept
    this.active = false;
  }

  get count() {
    return this.lines.length;
  }

  // The index of the first hit at or after `line`.
  from(line) {
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle] < line) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(line) {
    return this.lines[this.from(line)] === line;
  }

  // Whether one lies in [first, next).
  any(first, next) {
    return this.lines[this.from(first)] < next;
  }

  within(first, next) {
    return this.lines.slice(this.from(first), this.from(next));
  }

  countIn(first, next) {
    return this.from(next) - this.from(first);
  }

  // Add line numbers in ascending order; those that are known stay once.
  add(lines) {
    if (lines.length === 0) return;
    if (this.count === 0 || lines[0] > this.lines[this.count - 1]) {
      for (const line of lines) this.lines.push(line);
    } else {
      const at = this.from(lines[0]);
      const rest = this.lines.splice(at);
      let i = 0;
      for (const line of lines) {
        while (i < rest.length && rest[i] < line) this.lines.push(rest[i++]);
        if (rest[i] === line) i += 1;
        this.lines.push(line);
      }
      while (i < rest.length) this.lines.push(rest[i++]);
    }
    if (this.lines.length > MOST) {
      this.lines.length = MOST;
      this.full = true;
    }
  }

  // The next hit beyond `line` in a direction (1 or -1), around the ends; undefined where none is.
  next(line, direction) {
    if (this.count === 0) return undefined;
    if (direction > 0) return this.lines[this.from(line + 1) % this.count];
    return this.lines[(this.from(line) - 1 + this.count) % this.count];
  }
}
