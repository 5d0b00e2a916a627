// The row of controls above the log.

import { button, el, press, toggle } from "./element.js";
import { Menu } from "./menu.js";
import { WorkerMenu } from "./worker_menu.js";

const LEVELS = [[0, "All levels"], [1, "Debug +"], [2, "Info +"], [3, "Warning +"], [4, "Error +"]];

export class Toolbar {
  // `on`: the pane's commands, and {filtered(), level(least), download(format)}
  constructor(store, filter, on, logUrl) {
    this.on = on;
    this.level = el(
      "select",
      {
        class: "level", title: "The least level shown", aria: { label: "The least level shown" },
        on: { change: () => on.level(Number(this.level.value)) },
      },
      LEVELS.map(([value, text]) => el("option", { value, text })),
    );
    this.workers = new WorkerMenu(store, filter, () => on.filtered());
    this.wrap = toggle("Wrap", "Wrap long lines (w)", () => on.toggleWrap());
    this.time = toggle("Time", "When each line was read", () => on.toggleTime());
    this.numbers = toggle("Numbers", "Line numbers", () => on.toggleNumbers());
    this.more = new Menu("⋯", "More: go to a line, copy, download", (panel) => {
      const entry = (text, does) => button(text, text, () => (this.more.close(true), does()), { class: "entry" });
      const save = (format, text) => el("a", { class: "entry", href: logUrl(format), download: "", text });
      panel.replaceChildren(
        entry("Go to a line … (l)", on.askLine),
        entry("Copy the link to this place (y)", on.copyLink),
        save("txt", "Download as text"),
        save("ndjson", "Download as NDJSON, with times"),
      );
    });
    this.position = el("span", { class: "position" });
    this.element = el("div", { class: "toolbar", role: "toolbar", aria: { label: "Log" } }, [
      button("Search", "Search the log (/)", () => on.openSearch(), { class: "search-button" }),
      this.level,
      this.workers.element,
      el("span", { class: "group", role: "group", aria: { label: "Errors" } }, [
        button("↑", "Previous error (E)", () => on.previousError()),
        el("span", { class: "word", text: "Error", aria: { hidden: "true" } }),
        button("↓", "Next error (e)", () => on.nextError()),
      ]),
      el("span", { class: "spring" }),
      this.position,
      el("span", { class: "group", role: "group", aria: { label: "Show" } }, [this.wrap, this.time, this.numbers]),
      this.more.element,
    ]);
  }

  show({ wrap, time, numbers }, level) {
    press(this.wrap, wrap);
    press(this.time, time);
    press(this.numbers, numbers);
    this.level.value = String(level);
    this.level.classList.toggle("on", level > 0);
    this.workers.tell();
  }
}
