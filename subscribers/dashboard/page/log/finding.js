// Looking for something: a search, an error, and everything again.

import { ErrorFinder } from "./error_finder.js";
import { SearchBar } from "./search_bar.js";
import { number } from "./words.js";

export class Finding {
  constructor(pane, moving, say) {
    Object.assign(this, { pane, moving, say });
    this.errors = new ErrorFinder(pane.store, pane.lines);
    this.searchBar = new SearchBar({
      search: (pattern) => this.search(pattern),
      step: (direction) => this.step(direction),
      filter: (onlyHits, context) => {
        Object.assign(pane.filter, { onlyHits, context });
        pane.refilter();
      },
      close: () => pane.focus(),
    });
  }

  openSearch() {
    this.searchBar.open();
    this.pane.tell(); // a hint makes room for it
  }

  search(pattern) {
    const { pane } = this;
    pane.searchProblem = "";
    pane.state.pattern = pattern && !pattern.empty ? pattern : null;
    pane.state.current = -1;
    pane.view.closed.clear();
    pane.search.set(pattern);
    pane.refilter();
    pane.tellSearch();
  }

  // No filter any more.
  showAll() {
    const { pane } = this;
    pane.filter.level = 0;
    pane.filter.workers.clear();
    if (this.searchBar.onlyHits) this.searchBar.narrow();
    pane.refilter();
  }

  nextHit() {
    return this.step(1);
  }

  previousHit() {
    return this.step(-1);
  }

  // The next hit. The first step goes to the last one that can be seen, or is above.
  step(direction) {
    const { pane } = this;
    const { hits, state, viewport } = pane;
    if (!hits.active) return false;
    const seen = viewport.visible;
    let line;
    if (state.current >= 0) line = hits.next(state.current, direction);
    else line = hits.next(seen.at(-1)?.row.next ?? pane.store.end, -1);
    if (line === undefined) {
      this.say(pane.search.sweeping ? "No hit so far" : "No hit");
      return true;
    }
    if (state.current >= 0 && Math.sign(line - state.current) === -direction) {
      this.say(direction > 0 ? "From the top again" : "From the end again");
    }
    state.current = line;
    state.cursor = line;
    this.moving.cursorKey = `l${line}`;
    pane.redraw();
    pane.goTo(line);
    pane.tellSearch();
    return true;
  }

  nextError() {
    this.seekError(1);
  }

  previousError() {
    this.seekError(-1);
  }

  async seekError(direction) {
    const { pane } = this;
    const { state, viewport, store } = pane;
    const seen = viewport.visible;
    const inSight = seen.some(({ row }) => row.line === state.cursor);
    const edge = direction > 0 ? (seen[0]?.row.line ?? 0) : (seen.at(-1)?.row.next ?? store.end) - 1;
    const from = inSight ? state.cursor + direction : edge;
    let line;
    try {
      line = await this.errors.find(from, direction, (at) => pane.hint({ text: `Looking for an error … (line ${number(at)})` }));
    } catch (error) {
      this.say(`The log cannot be read: ${error.message}`);
      return;
    } finally {
      pane.hint(null);
    }
    if (line === undefined) return;
    if (line === null) this.say(direction > 0 ? "No error below" : "No error above");
    else {
      state.cursor = line;
      pane.redraw();
      pane.goTo(line);
      const found = pane.rows.find(line);
      this.moving.cursorKey = found?.row.key ?? `l${line}`;
    }
  }

  // Close the search; false where none is open.
  dismiss() {
    this.errors.cancel();
    if (this.searchBar.element.hidden) return false;
    this.searchBar.close();
    return true;
  }
}
