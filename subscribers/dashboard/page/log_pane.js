// The pane of one log: it puts the parts under log/ together. See log/commands.js for what a person
// can do with it.

import { Announcer } from "./log/announcer.js";
import { Commands } from "./log/commands.js";
import { el, button } from "./log/element.js";
import { Feed } from "./log/feed.js";
import { Filter } from "./log/filter.js";
import { Hits } from "./log/hits.js";
import { jobPath, lineHash, wantedLines } from "./log/link.js";
import { Look } from "./log/look.js";
import { Notice } from "./log/notice.js";
import { pageOf } from "./log/page.js";
import { Report } from "./log/report.js";
import { RowView } from "./log/row_view.js";
import { Rows } from "./log/rows.js";
import { Ruler } from "./log/ruler.js";
import { Search } from "./log/search.js";
import { Store } from "./log/store.js";
import { Supply } from "./log/supply.js";
import { Target } from "./log/target.js";
import { Viewport } from "./log/viewport.js";

const CUT = 2000; // characters of a line that are shown at first

export class LogPane {
  constructor(element, options) {
    Object.assign(this, { element, options });
    const { cluster, job, api } = options;
    this.store = new Store();
    this.hits = new Hits();
    this.filter = new Filter();
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
    this.alerts = [];
    this.report = new Report(this);
    const lines = (from, limit, epoch) => api.lines(cluster, job, { from, limit, epoch: epoch || undefined });
    this.lines = lines;
    this.supply = new Supply(this, lines);
    this.search = new Search(this.store, this.hits, {
      ask: (query) => api.search(cluster, job, query),
      found: () => this.found(),
      failed: (error) => this.found(error),
    });
    this.target = new Target(this, wantedLines(options.line ?? null, this.path, location));
    this.feed = this.newFeed();
    this.build();
    this.look.apply();
    this.feed.start();
  }

  newFeed() {
    const { cluster, job, api } = this.options;
    return new Feed(this.store, {
      cluster, job, api, least: this.target.wanted?.first,
      changed: (what) => this.changed(what),
      said: (connection, problem, retryAt) => this.report.said(connection, problem, retryAt),
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
    this.ruler = new Ruler(() => this.overview, {
      line: (line) => this.commands.moving.point(line),
      place: (share) => this.commands.moving.place(share),
    });
    this.commands = new Commands(this);
    const follow = () => this.commands.moving.follow();
    this.followButton = button("", "Go to the end and follow (G)", follow, { class: "follow-button", hidden: true });
    this.body = el("div", { class: "log-body" }, [
      this.scroller, this.ruler.element, this.notice.blanket, this.commands.copying.bar.element, this.followButton,
    ]);
    this.root = el("div", { class: "log-pane" }, [
      this.commands.toolbar.element, this.commands.finding.searchBar.element, this.notice.strip, this.body, this.live,
    ]);
    this.element.append(this.root);
    this.look = new Look(this);
    this.commands.listen();
  }

  // Frames went into the store.
  changed({ first, reset, lines = 0, frames = [] }) {
    if (reset) this.forget();
    this.update();
    const errors = frames.reduce((sum, frame) => sum + (frame.levels?.match(/[45]/g)?.length ?? 0), 0);
    if (this.search.live(frames)) this.report.tellSearch();
    if (!first) this.announcer.arrived(lines, errors);
    if (first && this.store.end === 0) this.report.askStatus();
    if (first || reset) this.placeAlerts();
    if (first) this.target.begin();
    this.report.caughtUp();
    this.look.grown();
    this.report.tell();
  }

  // Marks at the lines where an alert fired; those of another file are left out.
  placeAlerts() {
    const { epoch } = this.store;
    const here = this.alerts.filter((alert) => !alert.epoch || !epoch || alert.epoch === epoch);
    this.state.alerts = new Map(here.map((alert) => [alert.line, alert]));
    this.redraw();
  }

  // Another file: nothing that was said of the old one's lines holds.
  forget() {
    const { view, state } = this;
    for (const set of [view.opened, view.closed, view.uncut]) set.clear();
    Object.assign(state, { current: -1, cursor: -1, selection: null });
    this.showPicked();
    this.target.forget();
    this.commands.finding.errors.seen.clear();
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
      this.report.tellSearch();
    }
    this.update();
    this.target.loaded();
  }

  get overview() {
    const { store, rows, hits, viewport, state } = this;
    const { alerts, generation } = state;
    const errors = this.commands.finding.errors.seen;
    return { store, rows, hits, errors, alerts, generation, top: viewport.top, height: viewport.height };
  }

  rendered(slice) {
    this.ruler.tell();
    this.supply.serve(slice);
    this.look.rendered(slice);
    this.commands.finding.rendered();
    this.report.tell();
  }

  // A person moved the window.
  scrolled() {
    this.target.forget();
    this.supply.again();
    this.report.caughtUp();
    this.report.tell();
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
    this.commands.toolbar.show(this.look.settings, this.filter.level);
    this.redraw();
    this.rows.rebuild();
    this.viewport.schedule();
    this.report.tell();
  }

  redraw() {
    this.state.generation += 1;
    this.viewport.schedule();
  }

  found(problem) {
    this.report.searchProblem = problem?.message ?? "";
    if (this.hits.active) {
      if (this.filter.onlyHits) this.rows.rebuild();
      else this.rows.refresh([...this.store.pages.keys()]);
    }
    this.redraw();
    this.report.tellSearch();
  }

  reconnect() {
    this.feed.stop();
    this.feed = this.newFeed();
    if (this.store.end > 0) this.feed.open();
    else this.feed.start();
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
    this.ruler.stop();
    this.look.stop();
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
    setSettings: (settings) => pane.look.set(settings),
    setAlerts(alerts) {
      pane.alerts = alerts;
      pane.placeAlerts();
    },
  };
}
