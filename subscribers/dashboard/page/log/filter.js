// Which lines are shown. Pure.

import { PAGE } from "./page.js";

export class Filter {
  constructor() {
    this.level = 0; // the least level shown; 0: all lines
    this.workers = new Set(); // ids; -1: lines without a prefix; empty: all
    this.onlyHits = false; // only what the search found
    this.context = 0; // and so many lines around each hit
    this.forced = -1; // a line that was asked for is shown whatever else is said
  }

  get active() {
    return this.level > 0 || this.workers.size > 0 || this.onlyHits;
  }

  // Whether `line`, which is on `page`, is shown.
  shows(page, line, hits) {
    if (line === this.forced) return true;
    const i = line - page.first;
    if (page.levels[i] < this.level) return false;
    if (this.workers.size > 0 && !this.workers.has(page.workers[i])) return false;
    return !this.onlyHits || this.near(line, line + 1, hits);
  }

  near(first, next, hits) {
    return hits.any(first - this.context, next + this.context);
  }

  // Whether a page that is not here is known to show nothing.
  hides(index, hits) {
    const [first, next] = [index * PAGE, (index + 1) * PAGE];
    return (
      this.onlyHits &&
      hits.swept >= next + this.context &&
      !hits.full &&
      !this.near(first, next, hits) &&
      !(this.forced >= first && this.forced < next)
    );
  }
}
