// The search field with its switches and its count.

import { button, el, press, toggle } from "./element.js";
import { Pattern } from "./pattern.js";
import { number } from "./words.js";

const TYPING_MS = 180;
const CONTEXTS = [0, 1, 2, 3, 5, 10, 25];

export class SearchBar {
  // `on`: {search(pattern or null), filter(onlyHits, context), step(direction), close()}
  constructor(on) {
    this.on = on;
    this.regex = false;
    this.exact = false;
    this.onlyHits = false;
    this.input = el("input", {
      type: "search", class: "search-text", placeholder: "Search the whole log", spellcheck: "false",
      autocomplete: "off", enterkeyhint: "search", aria: { label: "Search the log" },
    });
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.regexButton = toggle(".*", "Regular expression (RE2)", () => this.flip("regex"));
    this.exactButton = toggle("Aa", "Match case", () => this.flip("exact"));
    this.filterButton = toggle("Only hits", "Show only hits and the lines around them", () => this.narrow());
    this.context = el(
      "select",
      { class: "context", hidden: true, aria: { label: "Lines around each hit" }, on: { change: () => this.tellFilter() } },
      CONTEXTS.map((lines) => el("option", { value: lines, text: `± ${lines}` })),
    );
    this.context.value = "2";
    this.count = el("output", { class: "search-count", aria: { live: "polite" } });
    this.element = el("div", { class: "search-bar", role: "search", hidden: true }, [
      this.input, this.regexButton, this.exactButton, this.count,
      button("↑", "Previous hit (N)", () => on.step(-1)),
      button("↓", "Next hit (n)", () => on.step(1)),
      this.filterButton, this.context,
      button("×", "Close the search (Esc)", () => this.close(), { class: "close" }),
    ]);
  }

  open() {
    this.element.hidden = false;
    this.input.focus();
    this.input.select();
  }

  close() {
    this.element.hidden = true;
    clearTimeout(this.timer);
    this.input.value = "";
    this.searched = undefined;
    if (this.onlyHits) this.narrow();
    this.on.search(null);
    this.on.close();
  }

  key(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter") {
      this.search();
      this.on.step(event.shiftKey ? -1 : 1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(), TYPING_MS);
  }

  flip(name) {
    this[name] = !this[name];
    press(this[`${name}Button`], this[name]);
    this.search();
  }

  search() {
    clearTimeout(this.timer);
    const { regex, exact } = this;
    const wanted = JSON.stringify([this.input.value, regex, exact]);
    if (wanted === this.searched) return;
    this.searched = wanted;
    this.pattern = new Pattern(this.input.value, { regex, exact });
    this.on.search(this.pattern);
  }

  narrow() {
    this.onlyHits = !this.onlyHits;
    press(this.filterButton, this.onlyHits);
    this.context.hidden = !this.onlyHits;
    this.tellFilter();
  }

  tellFilter() {
    this.on.filter(this.onlyHits, Number(this.context.value));
  }

  none() {
    return this.pattern?.meant ? "no hit as plain text; try .* (regular expression)" : "no hit";
  }

  // `at`: the place of the current hit, from 1; 0 for none.
  tell({ active, count, at, sweeping, full, problem }) {
    this.input.classList.toggle("wrong", Boolean(problem));
    this.count.classList.toggle("wrong", Boolean(problem));
    if (problem) this.count.textContent = problem;
    else if (!active) this.count.textContent = "";
    else {
      const total = `${number(count)}${full || sweeping ? "+" : ""}`;
      const place = at ? `${number(at)} of ${total}` : `${total} ${count === 1 ? "hit" : "hits"}`;
      this.count.textContent = count || sweeping ? place + (sweeping ? " …" : "") : this.none();
    }
  }
}
