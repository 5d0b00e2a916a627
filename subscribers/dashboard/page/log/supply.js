// Keeps the window supplied: fetches the lines it lacks, lets go of those far away, and says what it
// is looking for while a filter shows few of them.

import { Loader } from "./loader.js";
import { pageOf } from "./page.js";
import { wishes } from "./wishes.js";
import { number } from "./words.js";

const SPARSE_PORTION = 5000;
const SCAN_MOST = 200_000; // lines looked through for a filter before a person is asked
const FAR = 1e9;

export class Supply {
  constructor(pane, ask) {
    this.pane = pane;
    this.scanned = 0;
    this.hinted = false;
    this.loader = new Loader(pane.store, {
      ask,
      loaded: () => {
        if (pane.filter.active) this.scanned += SPARSE_PORTION;
        pane.loaded();
      },
      failed: (error) => pane.report.hint({ text: `Older lines cannot be fetched: ${error.message}. Trying again …` }),
      worked: () => pane.report.hint(null),
    });
  }

  stop() {
    this.loader.stop();
  }

  // A person did something: looking through the log may take as long again.
  again() {
    this.scanned = 0;
  }

  // These rows are in the window now.
  serve(slice) {
    const { store, viewport, filter } = this.pane;
    const sparse = filter.active;
    const wanted = wishes(slice, { end: store.end, upward: viewport.following || sparse, sparse });
    const paused = sparse && this.scanned >= SCAN_MOST && wanted.length > 0;
    this.loader.want(paused ? [] : wanted, sparse ? SPARSE_PORTION : undefined);
    if (sparse || this.hinted) this.say(paused, wanted, slice);
    this.letGo(slice);
  }

  letGo(slice) {
    const { store, rows } = this.pane;
    const shown = new Set(slice.map(({ page }) => page));
    const first = slice[0]?.page ?? 0;
    const last = pageOf(store.end);
    const gone = store.shrink((index) => {
      const near = shown.has(index) || shown.has(index - 1) || shown.has(index + 1);
      if (near || index >= last - 1) return 0;
      // Pages that show nothing go first: their height is known without them.
      return Math.abs(index - first) + (rows.layouts.get(index)?.rows.length === 0 ? FAR : 0);
    });
    rows.forget(gone);
  }

  say(paused, wanted, slice) {
    const { pane } = this;
    this.hinted = pane.filter.active;
    if (!this.hinted) pane.report.hint(null);
    else if (wanted.length === 0) pane.report.hint(this.nothing(slice));
    else if (paused) {
      const further = () => {
        this.again();
        pane.viewport.schedule();
      };
      pane.report.hint({ text: `${number(this.scanned)} lines were looked through.`, act: "Look further", does: further });
    } else pane.report.hint({ text: `Looking through the log for lines to show … (line ${number(wanted[0][0])})` });
  }

  // A word where the filter shows no line at all.
  nothing(slice) {
    const { filter, search, hits, commands } = this.pane;
    const some = slice.some(({ row }) => row.kind !== "mark" && row.kind !== "gap");
    const searching = filter.onlyHits && (search.sweeping || !hits.active);
    if (some || searching) return null;
    return { text: "No line is like that.", act: "Show all lines", does: () => commands.finding.showAll() };
  }
}
