// The log as it comes: its last lines first, then live. Says what the connection is.

const TAIL = 2000; // a whole page at least, whatever the page borders
const AGAIN_MS = [1000, 2000, 5000, 10_000, 15_000];
const HIDDEN_MS = 250; // a hidden tab draws no frames

export class Feed {
  // `changed({reset, lines, frames})` after frames went into the store, at most once a drawn frame;
  // `said(connection, problem)` when the connection is another one.
  constructor(store, { cluster, job, api, changed, said }) {
    Object.assign(this, { store, cluster, job, api, changed, said });
    this.queue = [];
    this.scheduled = 0;
    this.stream = null;
    this.stopped = false;
    this.tries = 0;
  }

  async start() {
    this.said("loading");
    try {
      const answer = await this.api.lines(this.cluster, this.job, { from: -TAIL, limit: TAIL });
      if (this.stopped) return;
      this.tries = 0;
      for (const frame of answer.frames) this.store.take(frame, { journal: true });
      if (answer.epoch && !this.store.epoch) this.store.epoch = answer.epoch;
      this.store.grow(answer.next);
      if (answer.complete && answer.frames.length === 0) this.store.ended = true;
      this.changed({ first: true, lines: 0, frames: [] });
      this.open(answer);
    } catch (error) {
      if (!this.stopped) this.refused(error);
    }
  }

  open({ next, epoch }) {
    const from = epoch ? { lastEventId: `${epoch}:${next}` } : { from: next };
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
    const { end, epoch } = this.store;
    this.timer = setTimeout(() => (streaming ? this.open({ next: end, epoch }) : this.start()), wait);
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
