// What there is to say about the log as a whole: across it while there is no line, above it else.

import { button, el } from "./element.js";
import { clock } from "./words.js";

const WORDS = {
  loading: () => ({ title: "Loading the log …" }),
  forbidden: ({ problem }) => ({
    title: "You may not read this log",
    text:
      "Sign in with a token that allows this job, or ask whoever runs raytap for one" +
      `${problem ? ` (the gateway says: ${problem})` : ""}.`,
  }),
  missing: ({ job }) => ({
    title: `There is no job ${job}`,
    text:
      "The broker does not know it: it may not have been seen yet, or have been purged. " +
      "It is asked for again every few seconds.",
  }),
  "signed out": () => ({ title: "Your session is over", text: "Sign in again, and the log goes on where it was." }),
  disconnected: ({ problem, retryAt }) => ({
    title: "Disconnected",
    text:
      `Trying again${retryAt ? ` at ${clock(retryAt).slice(0, 8)}` : ""}; ` +
      `the log then goes on without a hole (${problem || "the gateway does not answer"}).`,
  }),
  upstream: ({ problem }) => ({
    title: "The dashboard has lost its broker",
    text: `It reconnects by itself; the log then goes on without a hole${problem ? ` (${problem})` : ""}.`,
  }),
  empty: ({ status, ended }) => ({
    title: ended ? "The log is empty" : `No line yet${status ? `; the job is ${status}` : ""}`,
    text: ended ? "The job has ended and printed nothing." : "Lines appear here by themselves as the job prints them.",
  }),
};
const ALWAYS_STRIP = ["disconnected", "upstream", "signed out", "forbidden", "missing"];

export class Notice {
  // `again()` tries to connect at once.
  constructor(again) {
    this.strip = el("div", { class: "strip", role: "status", hidden: true });
    this.blanket = el("div", { class: "blanket", role: "status", hidden: true });
    this.again = again;
    this.shown = "";
  }

  // `connection`: the feed's; `lines`: how many there are; `hint`: {text, act, does} or null.
  tell({ connection, lines, hint, ...facts }) {
    const name = connection === "live" && lines === 0 ? "empty" : connection;
    const words = WORDS[name]?.(facts);
    const covers = lines === 0 && words;
    const strips = lines > 0 && (ALWAYS_STRIP.includes(name) ? words : null);
    if (hint && !strips) this.strip.style.top = `${this.strip.nextElementSibling.offsetTop + 8}px`;
    const shown = JSON.stringify([covers, strips, hint?.text]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.blanket.hidden = !covers;
    this.blanket.dataset.state = name;
    if (covers) this.blanket.replaceChildren(...this.body(words, name));
    this.strip.hidden = !strips && !hint;
    this.strip.dataset.state = strips ? name : "tip";
    if (strips) this.strip.replaceChildren(...this.body(strips, name));
    else if (hint) {
      const act = hint.does ? [button(hint.act, hint.act, hint.does)] : [];
      this.strip.replaceChildren(el("span", { text: hint.text }), ...act);
    }
  }

  body({ title, text }, name) {
    const parts = [el("strong", { text: title })];
    if (text) parts.push(el("span", { text }));
    if (name === "disconnected") parts.push(button("Try now", "Connect now", this.again));
    return parts;
  }
}
