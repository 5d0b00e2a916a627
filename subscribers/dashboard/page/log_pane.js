// The pane of one log: it puts the parts under log/ together. See log/commands.js for what a person
// can do with it.

import { Announcer } from "./log/announcer.js";
import { Commands } from "./log/commands.js";
import { el, button } from "./log/element.js";
import { Feed } from "./log/feed.js";
import { Filter } from "./log/filter.js";
import { Hits } from "./log/hits.js";
import { jobPath, lineHash, wantedLines } from "./log/link.js";
import { Measure } from "./log/measure.js";
import { Notice } from "./log/notice.js";
import { pageOf } from "./log/page.js";
import { RowView } from "./log/row_view.js";
import { Rows } from "./log/rows.js";
import { Search } from "./log/search.js";
import { Store } from "./log/store.js";
import { Supply } from "./log/supply.js";
import { Viewport } from "./log/viewport.js";
import { count, number } from "./log/words.js";

const CUT = 2000; // characters of a line that are shown at first

// What onState calls a connection.
const PUBLIC = { "signed out": "disconnected", upstream: "disconnected" };

export class LogPane {
  constructor(element, options) {
    Object.assign(this, { element, options });
    const { cluster, job, api } = options;
    this.store = new Store();
    this.hits = new Hits();
    this.filter = new Filter();
    this.settings = { ...options.settings };
    this.view = {
      filter: this.filter, hits: this.hits, opened: new Set(), closed: new Set(), uncut: new Set(),
      rowHeight: 20, columns: 0, cut: CUT,
    };
    this.path = jobPath(cluster, job);
    // What rows are drawn from, beside the store.
    this.state = {
      store: this.store, view: this.view, hits: this.hits, pattern: null, current: -1, cursor: -1,
      selection: null, alerts: new Map(), generation: 0, link: (line) => `${this.path}#L${line}`,
    };
    this.rows = new Rows(this.store, this.view);
    this.connection = "loading";
    this.problem = "";
    this.target = null; // a line to show once it is here
    this.seen = 0; // the end of the log when it was followed last
    this.told = "";
    const lines = (from, limit, epoch) => api.lines(cluster, job, { from, limit, epoch: epoch || undefined });
    this.lines = lines;
    this.supply = new Supply(this, lines);
    this.search = new Search(this.store, this.hits, {
      ask: (query) => api.search(cluster, job, query),
      found: () => this.found(),
      failed: (error) => this.found(error),
    });
    this.wanted = wantedLines(options.line ?? null, this.path, location); // to be shown once there are lines
    this.feed = this.newFeed();
    this.build();
    this.apply();
    this.feed.start();
  }

  newFeed() {
    const { cluster, job, api } = this.options;
    return new Feed(this.store, {
      cluster, job, api, least: this.wanted?.first,
      changed: (what) => this.changed(what),
      said: (connection, problem, retryAt) => this.said(connection, problem, retryAt),
    });
  }

  build() {
    const { cluster, job } = this.options;
    const aria = { live: "off", label: `Log of ${cluster}/${job}` };
    this.scroller = el("div", { class: "log-scroller", role: "log", tabindex: "0", aria });
    this.spacer = el("div", { class: "log-spacer" });
    this.layer = el("div", { class: "log-rows", role: "table", aria: { label: "Lines" } });
    this.spacer.append(this.layer);
    this.scroller.append(this.spacer);
    this.live = el("div", { class: "log-announcer", role: "status", aria: { live: "polite" } });
    this.announcer = new Announcer(this.options.announce ?? ((text) => (this.live.textContent = text)));
    this.rowView = new RowView(this.state);
    this.viewport = new Viewport(this.scroller, this.spacer, this.layer, {
      rows: this.rows, view: this.view, rowView: this.rowView,
      on: { scrolled: () => this.scrolled(), rendered: (slice) => this.rendered(slice) },
    });
    this.notice = new Notice(() => this.reconnect());
    this.commands = new Commands(this);
    const follow = () => this.commands.moving.follow();
    this.followButton = button("", "Go to the end and follow (G)", follow, { class: "follow-button", hidden: true });
    this.body = el("div", { class: "log-body" }, [
      this.scroller, this.notice.blanket, this.commands.copying.bar.element, this.followButton,
    ]);
    this.root = el("div", { class: "log-pane" }, [
      this.commands.toolbar.element, this.commands.finding.searchBar.element, this.notice.strip, this.body, this.live,
    ]);
    this.element.append(this.root);
    this.measure = new Measure(this.scroller, () => this.apply());
    this.commands.listen();
  }

  // The settings and the size: how rows look and how high they are.
  apply() {
    const { wrap, numbers, time } = this.settings;
    this.root.classList.toggle("wrap", wrap);
    this.root.classList.toggle("no-numbers", !numbers);
    this.root.classList.toggle("no-time", !time);
    const digits = String(String(Math.max(999, this.store.end)).length);
    this.root.style.setProperty("--digits", digits);
    const size = this.measure.read({ numbers, time, digits: Number(digits) });
    const columns = wrap ? size.columns : 0;
    if (columns !== this.view.columns || size.rowHeight !== this.view.rowHeight) {
      Object.assign(this.view, { columns, rowHeight: size.rowHeight });
      this.viewport.widen(0);
      this.rows.rebuild();
    }
    this.digits = digits;
    this.size = size;
    this.commands.toolbar.show(this.settings, this.filter.level);
    this.viewport.schedule();
  }

  // Frames went into the store.
  changed({ first, reset, lines = 0, frames = [] }) {
    if (reset) this.forget();
    this.update();
    const errors = frames.reduce((sum, frame) => sum + (frame.levels?.match(/[45]/g)?.length ?? 0), 0);
    if (this.search.live(frames)) this.tellSearch();
    if (!first) this.announcer.arrived(lines, errors);
    if (first && this.store.end === 0) this.askStatus();
    if (first) this.openAtWanted();
    if (this.viewport.following) this.seen = this.store.end;
    if (String(Math.max(999, this.store.end)).length > Number(this.digits)) this.apply();
    this.tell();
  }

  // Without a line there may be no word of the job's status either.
  async askStatus() {
    const { cluster, job, api } = this.options;
    try {
      const { jobs } = await api.jobs();
      this.status = jobs.find((row) => row.cluster === cluster && row.job === job)?.status ?? "";
      this.tell();
    } catch {
      // It is only a word more.
    }
  }

  openAtWanted() {
    const { wanted } = this;
    this.wanted = null;
    if (!wanted || this.store.end === 0 || this.commands.moving.beyond(wanted.first)) return;
    this.state.selection = wanted;
    this.showPicked();
    this.goTo(wanted.first);
  }

  // Another file: nothing that was said of the old one's lines holds.
  forget() {
    const { view, state } = this;
    for (const set of [view.opened, view.closed, view.uncut]) set.clear();
    Object.assign(state, { current: -1, cursor: -1, selection: null });
    this.showPicked();
    this.target = null;
    this.filter.forced = -1;
    this.filter.workers.clear();
    this.search.set(this.search.pattern);
    this.rows.rebuild();
    this.viewport.clear(); // the new lines have the old ones' numbers
    this.viewport.follow();
  }

  // What changed in the store, on the screen.
  update() {
    const { touched } = this.store;
    if (touched.size === 0) return;
    this.rows.refresh(touched);
    touched.clear();
    this.viewport.schedule();
  }

  loaded() {
    if (this.search.pattern?.matcher) {
      const pages = [...this.store.touched].filter((index) => this.store.page(index));
      pages.sort((a, b) => a - b).forEach((index) => this.search.look(index));
      this.tellSearch();
    }
    this.update();
    if (this.target !== null && this.store.text(this.target) !== undefined) {
      const line = this.target;
      this.target = null;
      this.goTo(line);
    }
  }

  rendered(slice) {
    this.supply.serve(slice);
    if (this.view.columns === 0) this.viewport.widen(this.measure.width(slice, this.store, CUT));
    this.tell();
  }

  hint(hint) {
    this.hinted = hint;
    this.tell();
  }

  // A person moved the window.
  scrolled() {
    this.target = null;
    this.supply.again();
    if (this.viewport.following) this.seen = this.store.end;
    this.tell();
  }

  // Bring a line into the window: open what hides it, fetch it if need be.
  goTo(wanted) {
    const line = Math.max(0, Math.min(wanted, this.store.end - 1));
    const page = this.store.page(pageOf(line));
    if (this.store.text(line) === undefined) {
      if (!this.store.gaps.at(line)) this.target = line;
    } else {
      if (this.filter.active && !this.filter.shows(page, line, this.hits)) {
        this.filter.forced = line;
        this.rows.refresh([pageOf(line)]);
      }
      const found = this.rows.find(line);
      if (found && !found.row.open && found.row.line !== line && (found.row.kind === "fold" || found.row.kind === "bar")) {
        this.setOpen(found.row, true);
      }
    }
    this.seen = Math.max(this.seen, this.viewport.following ? this.store.end : 0);
    this.viewport.show(line);
    this.tell();
  }

  setOpen({ line, next }, open) {
    const { opened, closed } = this.view;
    (open ? opened : closed).add(line);
    (open ? closed : opened).delete(line);
    const pages = [];
    for (let index = pageOf(line); index <= pageOf(next - 1); index += 1) pages.push(index);
    this.rows.refresh(pages);
    this.viewport.schedule();
  }

  // The filter or the hits are others: all rows anew, at the same line.
  refilter() {
    this.supply.again();
    this.filter.forced = -1;
    this.commands.toolbar.show(this.settings, this.filter.level);
    this.redraw();
    this.rows.rebuild();
    this.viewport.schedule();
    this.tell();
  }

  redraw() {
    this.state.generation += 1;
    this.viewport.schedule();
  }

  found(problem) {
    this.searchProblem = problem?.message ?? "";
    if (this.hits.active) {
      if (this.filter.onlyHits) this.rows.rebuild();
      else this.rows.refresh([...this.store.pages.keys()]);
    }
    this.redraw();
    this.tellSearch();
  }

  tellSearch() {
    const { hits, state, search } = this;
    const at = hits.has(state.current) ? hits.from(state.current) + 1 : 0;
    this.commands.finding.searchBar.tell({
      active: hits.active, count: hits.count, at, sweeping: search.sweeping, full: hits.full, problem: this.searchProblem,
    });
  }

  said(connection, problem = "", retryAt = 0) {
    Object.assign(this, { connection, problem, retryAt });
    this.tell();
  }

  reconnect() {
    this.feed.stop();
    this.feed = this.newFeed();
    if (this.store.end > 0) this.feed.open();
    else this.feed.start();
  }

  // Everything around the rows, and the page.
  tell() {
    const { store, viewport, connection, problem, retryAt } = this;
    const waiting = viewport.following ? 0 : Math.max(0, store.end - this.seen);
    this.followButton.hidden = viewport.following || store.end === 0;
    const end = store.ended ? "↓ To the end" : "↓ Follow";
    const text = waiting ? `↓ ${count(waiting, "new line")}` : end;
    if (this.followButton.textContent !== text) this.followButton.textContent = text;
    const lines = store.end + store.marks.list.length;
    this.notice.tell({
      connection, problem, retryAt, lines: store.end, hint: this.hinted, status: store.status || this.status,
      ended: store.ended, job: this.options.job,
    });
    this.root.classList.toggle("empty", store.end === 0);
    const shown = lines ? viewport.visible.filter(({ row }) => row.kind !== "mark") : [];
    const [from, to] = [shown[0]?.row.line ?? 0, Math.max(0, (shown.at(-1)?.row.next ?? 1) - 1)];
    this.commands.toolbar.position.textContent = store.end ? `${shown.length ? `${number(from)}–${number(to)}` : 0} of ${number(store.end)}` : "";
    const ended = connection === "live" && store.ended;
    const state = {
      connection: ended ? "ended" : (PUBLIC[connection] ?? connection), status: store.status, position: from,
      following: viewport.following, waiting, level: this.filter.level, workers: store.workers.list.map(({ name }) => name),
    };
    const told = JSON.stringify(state);
    if (told === this.told) return;
    this.told = told;
    this.options.onState?.(state);
  }

  focus() {
    this.scroller.focus({ preventScroll: true });
  }

  showPicked() {
    this.commands.copying.bar.show(this.state.selection);
  }

  pick(selection) {
    const { state, options } = this;
    state.selection = selection;
    state.cursor = selection ? selection.first : state.cursor;
    this.showPicked();
    this.redraw();
    options.onLine?.(selection ? selection.first : null);
    if (selection && selection.next - selection.first > 1 && location.pathname === this.path) {
      history.replaceState(history.state, "", lineHash(selection));
    }
  }

  destroy() {
    this.feed.stop();
    this.supply.stop();
    this.search.stop();
    this.viewport.stop();
    this.measure.stop();
    this.commands.stop();
    this.announcer.stop();
    this.root.remove();
  }
}

export function createLogPane(element, options) {
  const pane = new LogPane(element, options);
  return {
    destroy: () => pane.destroy(),
    focus: () => pane.focus(),
    openSearch: () => pane.commands.finding.openSearch(),
    goTo: (line) => pane.commands.moving.jump(line),
    copyLink: () => pane.commands.copying.copyLink(),
    reconnect: () => pane.reconnect(),
    setSettings(settings) {
      pane.settings = { ...settings };
      pane.apply();
    },
    // Marks at lines where an alert fired; those of another file are left out.
    setAlerts(alerts) {
      const { epoch } = pane.store;
      const here = alerts.filter((alert) => !alert.epoch || !epoch || alert.epoch === epoch);
      pane.state.alerts = new Map(here.map((alert) => [alert.line, alert]));
      pane.redraw();
    },
  };
}
