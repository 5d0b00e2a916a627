// What a person selects with the pointer, as lines of the log rather than as elements: it may begin
// in a row that has left the window since, and what is copied is the text as it was printed.

const CELL = ".row .text";

export class TextSelection {
  constructor(layer, store) {
    this.layer = layer;
    this.store = store;
    this.anchor = null; // {line, next, offset, whole}: where it began
    this.watch = () => this.changed();
    document.addEventListener("selectionchange", this.watch);
  }

  stop() {
    document.removeEventListener("selectionchange", this.watch);
  }

  get active() {
    const selection = document.getSelection();
    return !selection.isCollapsed && this.layer.contains(selection.focusNode);
  }

  changed() {
    const selection = document.getSelection();
    const place = this.place(selection.anchorNode, selection.anchorOffset);
    if (place) this.anchor = place;
    else if (selection.isCollapsed) this.anchor = null;
  }

  // The line and the place in its text of a place in the document.
  place(node, offset) {
    const element = node?.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    if (!element || !this.layer.contains(element)) return null;
    const row = element.closest(".row");
    if (!row) return null;
    const cell = element.closest(CELL);
    let before = 0;
    if (cell) {
      const range = document.createRange();
      range.setStart(cell, 0);
      range.setEnd(node, offset);
      before = range.toString().length;
    }
    // Only a plain line's text is letter by letter what is shown.
    const plain = row.classList.contains("line") && !row.querySelector(".control, .pill");
    return { line: Number(row.dataset.line), row, offset: before, plain };
  }

  // The selected text, or null where the browser knows it best: within one row, or elsewhere.
  get text() {
    const selection = document.getSelection();
    const focus = this.place(selection.focusNode, selection.focusOffset);
    if (!this.active || !focus || !this.anchor) return null;
    if (focus.line === this.anchor.line && this.anchor.row === focus.row) return null;
    const [from, to] = this.anchor.line < focus.line ? [this.anchor, focus] : [focus, this.anchor];
    const out = [];
    for (let line = from.line; line <= to.line; line += 1) {
      const text = this.store.text(line);
      if (text === undefined) continue;
      const begin = line === from.line && from.plain ? from.offset : 0;
      const end = line === to.line && to.plain ? to.offset : text.length;
      out.push(text.slice(begin, end));
    }
    return out.join("\n");
  }
}
