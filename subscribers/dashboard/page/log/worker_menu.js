// The choice of workers whose lines are shown.

import { el } from "./element.js";
import { Menu } from "./menu.js";
import { number } from "./words.js";

const DRIVER = -1;
const MANY = 12;

export class WorkerMenu {
  // `filter.workers` is what it changes; `changed()` is called then.
  constructor(store, filter, changed) {
    Object.assign(this, { store, filter, changed });
    this.menu = new Menu("Workers", "Show only the lines of these workers", (panel) => this.fill(panel));
    this.element = this.menu.element;
    this.tell();
  }

  fill(panel) {
    const { list } = this.store.workers;
    const order = list.map((worker, id) => ({ ...worker, id }));
    order.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    const items = [
      this.item(DRIVER, "the driver, and lines of no worker", "aside"),
      ...order.map(({ id, name, colour, lines }) => this.item(id, name, `worker w${colour}`, lines)),
    ];
    const none = () => this.choose(() => this.filter.workers.clear(), panel);
    const all = el("button", { type: "button", text: "Show all", on: { click: none } });
    const head = [all];
    if (order.length > MANY) {
      head.unshift(el("input", {
        type: "search", placeholder: "Find a worker", aria: { label: "Find a worker" },
        on: { input: (event) => items.forEach((item) => (item.hidden = !item.textContent.includes(event.target.value))) },
      }));
    }
    if (order.length === 0) head.push(el("p", { class: "aside", text: "No line of a worker was seen yet." }));
    panel.replaceChildren(el("div", { class: "menu-head" }, head), ...items);
  }

  item(id, name, look, lines) {
    const box = el("input", { type: "checkbox" });
    box.checked = this.filter.workers.has(id);
    box.addEventListener("change", () => {
      this.choose(() => (box.checked ? this.filter.workers.add(id) : this.filter.workers.delete(id)));
    });
    const seen = lines ? [el("span", { class: "seen", text: number(lines), title: "Lines seen in this window" })] : [];
    return el("label", { class: "option" }, [box, el("span", { class: look, text: name }), ...seen]);
  }

  choose(change, panel) {
    change();
    if (panel) this.fill(panel);
    this.tell();
    this.changed();
  }

  // The button says how many are chosen.
  tell() {
    const { size } = this.filter.workers;
    this.menu.button.textContent = size ? `Workers: ${size}` : "Workers";
    this.menu.button.classList.toggle("on", size > 0);
  }
}
