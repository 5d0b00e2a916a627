// What can be done with the lines that were picked by their numbers.

import { button, el } from "./element.js";
import { span } from "./words.js";

export class PickedBar {
  // `on`: {copyText(), copyLink(), clear()}
  constructor(on) {
    this.words = el("span", { class: "picked-words" });
    this.text = button("Copy text", "Copy the text of these lines", on.copyText);
    this.element = el("div", { class: "picked-bar", role: "group", hidden: true, aria: { label: "Picked lines" } }, [
      this.words, this.text, button("Copy link", "Copy the link to these lines (y)", on.copyLink),
      button("×", "Pick nothing (Esc)", on.clear, { class: "close" }),
    ]);
  }

  show(picked) {
    this.element.hidden = !picked;
    if (!picked) return;
    const words = span(picked.first, picked.next);
    this.words.textContent = words[0].toUpperCase() + words.slice(1);
    this.text.textContent = `Copy ${words}`;
  }
}
