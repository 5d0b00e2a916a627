// A search through the whole log: what is here at once, the rest by the gateway, from its first
// line on; then every line that comes.

const PORTION = 1000;
const AGAIN_MS = 2000;
const TELL_MS = 400; // what was found so far is shown so often

export class Search {
  // `ask({q, from, limit, case})` gives the gateway's answer; `found()` when hits were added or the
  // sweep is over, `failed(error)` when it cannot be done.
  constructor(store, hits, { ask, found, failed }) {
    Object.assign(this, { store, hits, ask, found, failed });
    this.pattern = null;
    this.turn = 0; // a newer search makes older answers void
    this.sweeping = false;
    this.timer = 0;
  }

  // Search for a pattern; null: no more.
  set(pattern) {
    this.turn += 1;
    clearTimeout(this.timer);
    this.timer = 0;
    this.sweeping = false;
    this.hits.clear();
    this.pattern = pattern && !pattern.empty ? pattern : null;
    this.hits.active = this.pattern !== null;
    if (!this.pattern) return;
    if (this.pattern.matcher) {
      for (const index of [...this.store.pages.keys()].sort((a, b) => a - b)) this.look(index);
    }
    this.sweep();
  }

  look(index) {
    const { texts, first } = this.store.page(index);
    const found = [];
    texts.forEach((text, i) => text !== undefined && this.pattern.test(text) && found.push(first + i));
    this.hits.add(found);
  }

  async sweep() {
    const { turn, pattern, store } = this;
    this.sweeping = true;
    let told = performance.now();
    try {
      for (let from = this.hits.swept; ; ) {
        const end = store.end;
        const answer = await this.ask({ q: pattern.source, from, limit: PORTION, case: pattern.exact });
        if (turn !== this.turn) return;
        this.hits.add(answer.hits.map((hit) => hit.line));
        const over = answer.next === null || answer.next <= from || this.hits.full;
        this.hits.swept = over ? Math.max(end, this.hits.swept) : answer.next;
        from = answer.next;
        if (over) break;
        if (performance.now() - told < TELL_MS) continue;
        this.found();
        told = performance.now();
      }
      this.sweeping = false;
      this.found();
    } catch (error) {
      if (turn !== this.turn) return;
      this.sweeping = false;
      this.failed(error);
      if (error.status !== 400 && error.status !== 403) this.again();
    }
  }

  again() {
    const { turn } = this;
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      if (turn === this.turn) this.sweep();
    }, AGAIN_MS);
  }

  // Lines came. Those that follow on what was searched are looked at here, where that can be done;
  // behind a hole the gateway is asked again.
  live(frames) {
    if (!this.pattern) return false;
    const { hits, pattern } = this;
    const before = hits.count;
    for (const { kind, first, next, lines } of frames) {
      if (kind !== "log") continue;
      if (pattern.matcher) {
        hits.add(lines.flatMap((text, i) => (pattern.test(text) ? [first + i] : [])));
        if (!this.sweeping && first <= hits.swept) hits.swept = Math.max(hits.swept, next);
      }
    }
    if (!this.sweeping && hits.swept < this.store.end && !hits.full) this.again();
    return hits.count !== before;
  }

  stop() {
    this.set(null);
  }
}
