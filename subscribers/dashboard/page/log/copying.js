// Picking lines by their numbers, and copying: their text, their link, what is selected.

import { cleanText, MOST } from "./clean_text.js";
import { copy } from "./clipboard.js";
import { lineHash } from "./link.js";
import { PickedBar } from "./picked_bar.js";
import { TextSelection } from "./text_selection.js";
import { count, number, span } from "./words.js";

const REFUSED = "The browser does not let the page copy";

export class Copying {
  constructor(pane, say) {
    this.pane = pane;
    this.say = say;
    this.bar = new PickedBar({
      copyText: () => this.copyText(),
      copyLink: () => this.copyLink(),
      clear: () => pane.pick(null),
    });
  }

  listen() {
    this.selection = new TextSelection(this.pane.layer, this.pane.store);
    this.pane.root.addEventListener("copy", (event) => this.copied(event));
  }

  stop() {
    this.selection.stop();
  }

  get pickedLines() {
    const { state, viewport } = this.pane;
    if (state.selection) return state.selection;
    const seen = viewport.visible.filter(({ row }) => row.kind !== "mark");
    const line = seen.some(({ row }) => row.line === state.cursor) ? state.cursor : (seen[0]?.row.line ?? 0);
    return { first: line, next: line + 1 };
  }

  async copyLink() {
    const { pane } = this;
    const picked = this.pickedLines;
    const done = await copy(`${location.origin}${pane.path}${lineHash(picked)}`);
    this.say(done ? `Link to ${span(picked.first, picked.next)} copied` : REFUSED);
  }

  async copyText() {
    const { pane } = this;
    const picked = this.pickedLines;
    const next = Math.min(picked.next, picked.first + MOST);
    try {
      const text = await cleanText(pane.store, pane.lines, picked.first, next);
      const done = await copy(text);
      const rest = next < picked.next ? `, the first of ${number(picked.next - picked.first)}` : "";
      this.say(done ? `${count(next - picked.first, "line")} copied${rest}` : REFUSED);
    } catch (error) {
      this.say(`The lines cannot be fetched: ${error.message}`);
    }
  }

  copied(event) {
    const text = this.selection.text;
    if (text === null) return;
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  }

  pickNumber(line, extend) {
    const { pane } = this;
    const old = pane.state.selection;
    if (extend && old) {
      const origin = this.origin ?? old.first;
      pane.pick({ first: Math.min(origin, line), next: Math.max(origin, line) + 1 });
    } else if (old && old.first === line && old.next === line + 1) pane.pick(null);
    else {
      this.origin = line;
      pane.pick({ first: line, next: line + 1 });
    }
    document.getSelection().removeAllRanges();
  }
}
