// What was said at a position between two lines: status, end, error, reset. Pure.

const MOST = 1000;

const sameWords = (a, b) =>
  a.line === b.line && a.kind === b.kind && a.status === b.status && a.message === b.message;

export class Marks {
  constructor() {
    this.clear();
  }

  clear() {
    this.list = [];
    this.ids = 0;
  }

  // Take a frame without lines; false where it was known. The same words again at the same place
  // are counted, not listed.
  add(frame) {
    const mark = {
      line: frame.first,
      kind: frame.kind,
      status: frame.status ?? "",
      message: frame.message ?? frame.reason ?? "",
      ts: frame.ts ?? 0,
      complete: frame.complete,
      code: frame.code ?? 0,
      times: 1,
    };
    const near = this.within(mark.line, mark.line + 1);
    const known = near.find((other) => sameWords(mark, other));
    if (known) {
      if (mark.kind !== "error" || mark.ts <= known.ts) return false;
      known.ts = mark.ts;
      known.times += 1;
      return true;
    }
    mark.id = this.ids += 1;
    this.list.splice(this.from(mark.line + 1), 0, mark);
    if (this.list.length > MOST) this.list.shift();
    return true;
  }

  from(line) {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].line < line) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  within(first, next) {
    return this.list.slice(this.from(first), this.from(next));
  }
}
