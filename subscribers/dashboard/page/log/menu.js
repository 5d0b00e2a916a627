// A button with a panel below it, which closes when the focus or a press goes elsewhere.

import { button, el } from "./element.js";

export class Menu {
  // `fill(panel)` is called each time it opens.
  constructor(text, title, fill) {
    this.fill = fill;
    this.button = button(text, title, () => (this.panel.hidden ? this.open() : this.close(true)), {
      class: "menu-button",
    });
    this.button.setAttribute("aria-expanded", "false");
    this.button.setAttribute("aria-haspopup", "true");
    this.panel = el("div", { class: "menu-panel", hidden: true, role: "group", aria: { label: title } });
    this.element = el("div", { class: "menu" }, [this.button, this.panel]);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.panel.hidden) return;
      event.stopPropagation();
      this.close(true);
    });
    this.outside = (event) => !this.element.contains(event.target) && this.close();
    this.element.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.element.contains(event.relatedTarget)) this.close();
    });
  }

  open() {
    this.fill(this.panel);
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.outside);
    this.panel.querySelector("input, button, a")?.focus();
  }

  close(refocus = false) {
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.outside);
    if (refocus) this.button.focus();
  }
}
