// What a screen reader is told: answers to a command at once, new lines now and then.

import { count } from "./words.js";

const EVERY_MS = 10_000;

export class Announcer {
  constructor(say) {
    this.say = say;
    this.lines = 0;
    this.errors = 0;
    this.timer = 0;
  }

  now(text) {
    this.say(text);
  }

  arrived(lines, errors) {
    this.lines += lines;
    this.errors += errors;
    if (this.timer || this.lines === 0) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      const grave = this.errors ? `, ${count(this.errors, "error")}` : "";
      this.say(`${count(this.lines, "new line")}${grave}`);
      this.lines = 0;
      this.errors = 0;
    }, EVERY_MS);
  }

  stop() {
    clearTimeout(this.timer);
  }
}
