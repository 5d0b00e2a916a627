// What is said around the rows, and to the page: the connection, how the job stands, how many lines
// wait, where the window is, what was found.

import { count, number } from "./words.js";

// What onState calls a connection.
const PUBLIC = { "signed out": "disconnected", upstream: "disconnected" };

export class Report {
  constructor(pane) {
    this.pane = pane;
    this.connection = "loading";
    this.problem = "";
    this.retryAt = 0;
    this.status = ""; // as the list of jobs has it
    this.hinted = null;
    this.searchProblem = "";
    this.seen = 0; // the end of the log when it was followed last
    this.told = "";
  }

  said(connection, problem = "", retryAt = 0) {
    Object.assign(this, { connection, problem, retryAt });
    this.tell();
  }

  hint(hint) {
    this.hinted = hint;
    this.tell();
  }

  // Who follows has seen everything.
  caughtUp() {
    const { viewport, store } = this.pane;
    if (viewport.following) this.seen = store.end;
  }

  // Without a line there may be no word of the job's status either.
  async askStatus() {
    const { cluster, job, api } = this.pane.options;
    try {
      const { jobs } = await api.jobs();
      this.status = jobs.find((row) => row.cluster === cluster && row.job === job)?.status ?? "";
      this.tell();
    } catch {
      // It is only a word more.
    }
  }

  tell() {
    const { store, viewport } = this.pane;
    const waiting = viewport.following ? 0 : Math.max(0, store.end - this.seen);
    this.tellFollow(waiting);
    this.tellNotice();
    this.tellPage(waiting, this.tellPosition());
  }

  tellFollow(waiting) {
    const { store, viewport, followButton } = this.pane;
    followButton.hidden = viewport.following || store.end === 0;
    const end = store.ended ? "↓ To the end" : "↓ Follow";
    const text = waiting ? `↓ ${count(waiting, "new line")}` : end;
    if (followButton.textContent !== text) followButton.textContent = text;
  }

  tellNotice() {
    const { store, notice, root, options } = this.pane;
    const { connection, problem, retryAt, hinted } = this;
    notice.tell({
      connection, problem, retryAt, lines: store.end, hint: hinted, status: store.status || this.status,
      ended: store.ended, job: options.job,
    });
    root.classList.toggle("empty", store.end === 0);
  }

  // Which lines are seen; the first of them.
  tellPosition() {
    const { store, viewport, commands } = this.pane;
    const lines = store.end + store.marks.list.length;
    const shown = lines ? viewport.visible.filter(({ row }) => row.kind !== "mark") : [];
    const [from, to] = [shown[0]?.row.line ?? 0, Math.max(0, (shown.at(-1)?.row.next ?? 1) - 1)];
    const span = shown.length ? `${number(from)}–${number(to)}` : "0";
    commands.toolbar.position.textContent = store.end ? `${span} of ${number(store.end)}` : "";
    return from;
  }

  tellPage(waiting, position) {
    const { store, viewport, filter, options } = this.pane;
    const ended = this.connection === "live" && store.ended;
    const state = {
      connection: ended ? "ended" : (PUBLIC[this.connection] ?? this.connection), status: store.status, position,
      following: viewport.following, waiting, level: filter.level, workers: store.workers.list.map(({ name }) => name),
    };
    const told = JSON.stringify(state);
    if (told === this.told) return;
    this.told = told;
    options.onState?.(state);
  }

  tellSearch() {
    const { hits, state, search, commands } = this.pane;
    const at = hits.has(state.current) ? hits.from(state.current) + 1 : 0;
    commands.finding.searchBar.tell({
      active: hits.active, count: hits.count, at, sweeping: search.sweeping, full: hits.full, problem: this.searchProblem,
    });
  }
}
