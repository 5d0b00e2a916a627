// Browsers cannot scroll further than some ten million pixels. Where a log is longer, near moves of
// the scrollbar count as they are and far ones in proportion. Pure; all numbers are pixels.

export const LIMIT = 12_000_000;

export class Scale {
  constructor(limit = LIMIT) {
    this.limit = limit;
    this.virtual = 0;
    this.viewport = 0;
  }

  fit(virtual, viewport) {
    this.virtual = virtual;
    this.viewport = viewport;
  }

  get height() {
    return Math.min(this.virtual, this.limit);
  }

  get exact() {
    return this.virtual <= this.limit;
  }

  get most() {
    return Math.max(0, this.virtual - this.viewport);
  }

  // The place after the scrollbar went from `before` to `now`, `top` being the place until then.
  moved(top, before, now) {
    if (this.exact) return now;
    const most = this.height - this.viewport;
    const near = Math.abs(now - before) < 2 * this.viewport && now > 0 && now < most;
    const place = near ? top + now - before : (now / most) * this.most;
    return Math.max(0, Math.min(this.most, place));
  }

  // Where the scrollbar should stand for a place. Near an end there is room left to go there.
  scroll(top) {
    if (this.exact) return top;
    const most = this.height - this.viewport;
    const room = 3 * this.viewport;
    const fair = (top / this.most) * most;
    return Math.max(Math.min(top, room), Math.min(most - Math.min(this.most - top, room), fair));
  }
}
