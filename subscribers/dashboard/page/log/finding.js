// Looking for something: a search, an error, and everything again.

import { ErrorFinder } from "./error_finder.js";
import { SearchBar } from "./search_bar.js";
import { number } from "./words.js";

const MARGIN = 60; // pixels beside a hit

export class Finding {
  constructor(pane, moving, say) {
    Object.assign(this, { pane, moving, say });
    this.sideways = false; // the current hit is to be looked for beyond the window's side
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
    this.pane.report.tell(); // a hint makes room for it
  }

  search(pattern) {
    const { pane } = this;
    pane.report.searchProblem = "";
    pane.state.pattern = pattern && !pattern.empty ? pattern : null;
    pane.state.current = -1;
    pane.view.closed.clear();
    pane.search.set(pattern);
    pane.refilter();
    pane.report.tellSearch();
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
    this.sideways = true;
    this.moving.point(line);
    pane.report.tellSearch();
    return true;
  }

  // Rows were drawn: a hit far out in a long line is brought into the window.
  rendered() {
    const { layer, scroller } = this.pane;
    const hit = this.sideways && layer.querySelector(".current .hit");
    if (!hit) return;
    this.sideways = false;
    const { left, width } = hit.getBoundingClientRect();
    const at = left - layer.getBoundingClientRect().left;
    const room = scroller.clientWidth - MARGIN;
    const fits = (from) => at >= from && at + width <= from + room;
    if (fits(0)) scroller.scrollLeft = 0;
    else if (!fits(scroller.scrollLeft)) scroller.scrollLeft = at - room / 2;
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
      line = await this.errors.find(from, direction, (at) => pane.report.hint({ text: `Looking for an error … (line ${number(at)})` }));
    } catch (error) {
      this.say(`The log cannot be read: ${error.message}`);
      return;
    } finally {
      pane.report.hint(null);
    }
    if (line === undefined) return;
    if (line === null) this.say(direction > 0 ? "No error below" : "No error above");
    else this.moving.point(line);
  }

  // Close the search; false where none is open.
  dismiss() {
    this.errors.cancel();
    if (this.searchBar.element.hidden) return false;
    this.searchBar.close();
    return true;
  }
}
