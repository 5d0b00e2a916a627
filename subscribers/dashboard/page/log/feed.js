// The log as it comes: its last lines first, then live. Says what the connection is.

const TAIL = 2000; // a whole page at least, whatever the page borders
const AGAIN_MS = [1000, 2000, 5000, 10_000, 15_000];
const HIDDEN_MS = 250; // a hidden tab draws no frames

export class Feed {
  // `changed({reset, lines, frames})` after frames went into the store, at most once a drawn frame;
  // `said(connection, problem)` when the connection is another one. `least`: a line to begin with,
  // which is fetched before anything is said; -1: none.
  constructor(store, { cluster, job, api, changed, said, least = -1 }) {
    Object.assign(this, { store, cluster, job, api, changed, said, least });
    this.queue = [];
    this.scheduled = 0;
    this.stream = null;
    this.stopped = false;
    this.tries = 0;
  }

  async start() {
    this.said("loading");
    try {
      let answer = await this.ask(-TAIL);
      // It ends early where lines are long; a line that is to be shown first has to be there.
      while (answer && answer.next > answer.first && answer.next <= this.least) {
        answer = await this.ask(answer.next, answer.epoch || undefined);
      }
      if (!answer) return;
      this.tries = 0;
      if (answer.complete && this.store.end === 0) this.store.ended = true;
      this.changed({ first: true, lines: 0, frames: [] });
      this.open();
    } catch (error) {
      if (!this.stopped) this.refused(error);
    }
  }

  // The answer with lines from somewhere on, which are in the store then; nothing once stopped.
  async ask(from, epoch) {
    const { store } = this;
    const answer = await this.api.lines(this.cluster, this.job, { from, limit: TAIL, epoch });
    if (this.stopped) return undefined;
    for (const frame of answer.frames) store.take(frame, { journal: true });
    if (answer.epoch && !store.epoch) store.epoch = answer.epoch;
    store.grow(answer.next);
    return answer;
  }

  // Live, from where the store ends.
  open() {
    const { end, position } = this.store;
    const from = position ? { lastEventId: position } : { from: end };
    this.stream = this.api.stream(this.cluster, this.job, from, {
      open: () => this.said("live"),
      error: (error) => this.refused(error, true),
      frame: (frame) => this.push({ frame }),
      skipped: (skipped) => this.push({ skipped }),
      state: (state) => this.said(state.connected ? "live" : "upstream", state.problem),
    });
  }

  refused(error, streaming = false) {
    if (error.status === 401) this.said("signed out");
    else if (error.status === 403) this.said("forbidden", error.message);
    else if (error.status === 404) this.said("missing", error.message);
    else this.said("disconnected", error.message || "the gateway does not answer", error.retryAt);
    if (error.status === 403 || (streaming && !error.final)) return;
    this.stream?.close();
    const wait = AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)];
    this.tries += 1;
    this.timer = setTimeout(() => (streaming ? this.open() : this.start()), wait);
  }

  push(event) {
    this.queue.push(event);
    if (this.scheduled) return;
    this.scheduled = 1;
    const flush = () => {
      this.scheduled = 0;
      if (!this.stopped) this.flush();
    };
    if (document.hidden) setTimeout(flush, HIDDEN_MS);
    else requestAnimationFrame(flush);
  }

  flush() {
    const { store, queue } = this;
    this.queue = [];
    const [epoch, end] = [store.epoch, store.end];
    const frames = [];
    for (const { frame, skipped } of queue) {
      if (skipped) store.skip(skipped.epoch, skipped.next);
      else if (store.take(frame)) frames.push(frame);
    }
    const reset = epoch !== "" && store.epoch !== epoch;
    this.changed({ reset, lines: reset ? store.end : store.end - end, frames });
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.stream?.close();
  }
}
