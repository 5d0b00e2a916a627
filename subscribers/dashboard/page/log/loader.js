// Fetches lines that are wanted but not here. Only the newest wish counts, so that dragging the
// scrollbar over a long log asks for where it stops, not for all it passed.

const AT_ONCE = 2;
const PORTION = 2000;
const BACKOFF_MS = [500, 1000, 2000, 5000, 10_000];

export class Loader {
  // `ask(from, limit, epoch)` gives the gateway's answer; `loaded()` is called after each that
  // brought something, `failed(error)` after one that did not, `worked()` when one did again.
  constructor(store, { ask, loaded, failed, worked }) {
    Object.assign(this, { store, ask, loaded, failed, worked });
    this.wishes = []; // [first, next) in order of need
    this.flying = [];
    this.failures = 0;
    this.timer = 0;
    this.stopped = false;
  }

  want(ranges, portion = PORTION) {
    this.wishes = ranges;
    this.portion = portion;
    if (!this.timer) this.next();
  }

  get busy() {
    return this.flying.length > 0;
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  next() {
    for (const [first, last] of this.wishes) {
      if (this.flying.length >= AT_ONCE) return;
      for (const [from, to] of this.store.missing(first, last)) {
        const asked = this.flying.some((other) => from < other.to && to > other.from);
        if (!asked) {
          this.fetch(from, Math.min(to, from + this.portion));
          break;
        }
      }
    }
  }

  async fetch(from, to) {
    const flight = { from, to };
    this.flying.push(flight);
    const { epoch } = this.store;
    try {
      const answer = await this.ask(from, to - from, epoch);
      if (this.stopped || epoch !== this.store.epoch) return;
      this.receive(answer, from, to);
      if (this.failures > 0) this.worked();
      this.failures = 0;
    } catch (error) {
      if (!this.stopped) this.retry(error);
    } finally {
      this.flying.splice(this.flying.indexOf(flight), 1);
    }
    if (!this.stopped && !this.timer) this.next();
  }

  receive(answer, from, to) {
    for (const frame of answer.frames) this.store.take(frame, { journal: true });
    // An answer may end early; only up to there is it known what there is not.
    this.store.settle(from, answer.next > from ? Math.min(answer.next, to) : to);
    this.loaded();
  }

  retry(error) {
    this.failed(error);
    if (error.status === 403) return;
    const wait = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)];
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.next();
    }, wait);
  }
}
