// The field for a line's number.

import { el } from "./element.js";

export class LineField {
  // `go(line)` and `close()`, after which the focus should go back to the log.
  constructor({ go, close }) {
    this.input = el("input", {
      inputmode: "numeric", autocomplete: "off", size: "10", placeholder: "number", aria: { label: "Go to line" },
    });
    this.element = el("div", { class: "line-field", hidden: true }, [el("span", { text: "Go to line" }), this.input]);
    const done = () => {
      this.element.hidden = true;
      close();
    };
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      const digits = this.input.value.replace(/[^\d]/g, "");
      done();
      if (event.key === "Enter" && digits) go(Number(digits));
    });
    this.input.addEventListener("blur", () => (this.element.hidden = true));
  }

  open() {
    this.element.hidden = false;
    this.input.value = "";
    this.input.focus();
  }
}
