// Ranges of lines that there are none of, each with its reason; sorted and apart. Pure.

export class Gaps {
  constructor() {
    this.list = []; // {first, next, reason, message, ts, final}
  }

  clear() {
    this.list = [];
  }

  // The index of the first gap that ends beyond `line`.
  from(line) {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].next <= line) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The gap that holds `line`, or undefined.
  at(line) {
    const gap = this.list[this.from(line)];
    return gap && gap.first <= line ? gap : undefined;
  }

  // Those that touch [first, next).
  within(first, next) {
    const found = [];
    for (let i = this.from(first); i < this.list.length && this.list[i].first < next; i += 1) {
      found.push(this.list[i]);
    }
    return found;
  }

  // A newer word on a range replaces older ones; neighbours of one reason become one.
  add(gap) {
    if (gap.first >= gap.next) return;
    this.cut(gap.first, gap.next);
    const at = this.from(gap.first);
    const before = this.list[at - 1];
    const after = this.list[at];
    const added = { ...gap };
    const joins = (other) => other && other.reason === gap.reason && other.final === gap.final;
    let [start, removed] = [at, 0];
    if (joins(before) && before.next === gap.first) {
      added.first = before.first;
      start -= 1;
      removed += 1;
    }
    if (joins(after) && after.first === gap.next) {
      added.next = after.next;
      removed += 1;
    }
    this.list.splice(start, removed, added);
  }

  // Lines [first, next) are there, or may be, after all.
  cut(first, next) {
    const touched = this.within(first, next);
    if (touched.length === 0) return;
    const at = this.from(first);
    const left = [];
    for (const gap of touched) {
      if (gap.first < first) left.push({ ...gap, next: first });
      if (gap.next > next) left.push({ ...gap, first: next });
    }
    this.list.splice(at, touched.length, ...left);
  }
}
