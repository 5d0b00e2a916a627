// The element of one row.

import { el } from "./element.js";
import { PAGE, PARTIAL, pageOf } from "./page.js";
import { pieces } from "./pieces.js";
import { progress } from "./progress.js";
import { barText } from "./runs.js";
import { clock, count, day, gapReason, markWords, number, span } from "./words.js";

const WORKER = /^(\(([^()]+ pid=[^()]+)\)) ?/;
const LEVELS = ["", "debug", "info", "warning", "error", "critical"];

export class RowView {
  // `state`: {store, view, pattern, current, selection, cursor, alerts, link(line)}, read anew each
  // time; what a press on a row does is the pane's (it listens once, by `data-do`).
  constructor(state) {
    this.state = state;
  }

  // What a row's look hangs on; the same sign, the same element.
  sign(row) {
    const { generation, store, current, cursor, selection } = this.state;
    const { line, next } = row;
    const picked = selection && line < selection.next && next > selection.first;
    const own = `${line <= current && current < next}${line === cursor}${picked}${next}${row.open}`;
    if (row.kind === "mark") return `${own}${row.mark.times}`;
    return `${generation}.${store.amended}.${store.ended}.${own}`;
  }

  draw(row) {
    const node = this[row.kind](row);
    node.setAttribute("role", "row");
    node.dataset.line = row.line;
    return node;
  }

  row(kind, row, cells, more = "") {
    const { selection, cursor, current } = this.state;
    const { line } = row;
    const next = row.open && kind === "fold" ? line + 1 : row.next; // its other lines have rows
    const names = ["row", kind, more];
    if (selection && line < selection.next && next > selection.first) names.push("picked");
    if (line <= cursor && cursor < next) names.push("cursor");
    if (line <= current && current < next) names.push("current");
    return el("div", { class: names.filter(Boolean).join(" "), aria: { rowindex: line + 1 } }, cells);
  }

  gutter(row, time) {
    const { line } = row;
    const alert = this.alert(row);
    return [
      el("a", {
        class: "number", href: this.state.link(line), tabindex: "-1", text: String(line),
        data: { do: "number" }, title: "Select this line (Shift: up to this line)",
      }, alert ? [alert] : []),
      el("span", { class: "time", role: "cell", text: clock(time), title: day(time) }),
    ];
  }

  // A closed block shows the alert of any of its lines; an open one's lines show their own.
  alert({ line, next, open }) {
    const end = open ? line + 1 : next;
    for (const [at, alert] of this.state.alerts) {
      if (at >= line && at < end) {
        const words = `${alert.muted ? "Muted alert" : "Alert"}: ${alert.rule}${alert.severity ? ` (${alert.severity})` : ""}`;
        const data = { severity: alert.severity ?? "", ...(alert.muted && { muted: "true" }) };
        return el("span", { class: "alarm", text: "▲", data, title: words, role: "img", aria: { label: words } });
      }
    }
    return null;
  }

  // The pieces of a line, from `skip` characters on.
  text(line, { cut = Infinity, skip = 0 } = {}) {
    const { store, pattern, view } = this.state;
    const page = store.page(pageOf(line));
    const i = line - page.first;
    const whole = page.texts[i];
    const ranges = pattern?.matcher ? pattern.ranges(whole) : [];
    const worker = store.workers.list[page.workers[i]];
    const all = pieces(whole, {
      prefix: page.prefixes[i], colour: worker?.colour, repeated: page.repeats.has(i), ranges,
    });
    const nodes = [];
    let at = 0;
    const long = whole.length > cut && !view.uncut.has(line) && !ranges.some(([, to]) => to > cut);
    const stop = long ? cut : whole.length;
    for (const piece of all) {
      const from = Math.max(at, skip);
      const to = Math.min(at + piece.text.length, stop);
      if (from < to) nodes.push(node(piece, piece.text.slice(from - at, to - at)));
      at += piece.text.length;
    }
    if (long) {
      nodes.push(el("button", {
        type: "button", class: "pill", data: { do: "uncut" }, text: `… ${number(whole.length - stop)} more characters`,
      }));
    }
    return nodes;
  }

  line(row) {
    const { store, view, hits, pattern } = this.state;
    const page = store.page(pageOf(row.line));
    const i = row.line - page.first;
    const body = this.text(row.line, { cut: view.cut });
    if (page.flags[i] & PARTIAL) body.push(el("span", { class: "pill", text: store.ended ? "no line end" : "no line end yet" }));
    const found = pattern && !pattern.matcher && hits.has(row.line) ? "found" : "";
    const inside = row.run === undefined ? "" : "inside";
    const names = `${LEVELS[page.levels[i]]} ${found} ${inside}`.trim();
    return this.row("line", row, [
      ...this.gutter(row, page.times[i]),
      el("span", { class: "text", role: "cell" }, body),
    ], names);
  }

  opener(row, what) {
    return el("button", {
      type: "button", class: "opener", text: row.open ? "▾" : "▸", data: { do: "open" },
      aria: { expanded: String(row.open), label: `${what}, ${count(row.next - row.line, "line")}` },
    });
  }

  hitsIn({ line, next, open }) {
    const { hits } = this.state;
    const found = hits.active && !open ? hits.countIn(line, next) : 0;
    return found ? el("span", { class: "pill found", text: count(found, "hit") }) : null;
  }

  // A traceback: closed it says what was raised; open its first line.
  fold(row) {
    const { store } = this.state;
    const page = store.page(pageOf(row.line));
    const i = row.line - page.first;
    const body = [this.opener(row, "Traceback")];
    if (row.open) body.push(...this.text(row.line));
    else {
      const last = row.next - 1;
      const lastPage = store.page(pageOf(last));
      const prefix = page.prefixes[i];
      if (prefix) body.push(worker(`worker w${store.workers.list[page.workers[i]].colour}`, page.texts[i].slice(0, prefix)));
      const skip = lastPage.prefixes[last - lastPage.first];
      body.push(
        el("span", { class: "pill", text: `Traceback, ${count(row.next - row.line, "line")}` }),
        this.hitsIn(row),
        el("span", { class: "raised" }, this.text(last, { skip, cut: 400 })),
      );
    }
    const cell = el("span", { class: "text", role: "cell" }, body.filter(Boolean));
    return this.row("fold", row, [...this.gutter(row, page.times[i]), cell], LEVELS[page.levels[i]] || "error");
  }

  // A progress bar: its newest state.
  bar(row) {
    const { store } = this.state;
    const { line, text } = barText(store, row.line, row.next);
    const page = store.page(pageOf(line)) ?? store.page(pageOf(row.line));
    const i = line % PAGE;
    const prefix = page.prefixes[i];
    const body = [this.opener(row, "Progress bar")];
    if (prefix) body.push(worker(`worker w${store.workers.list[page.workers[i]].colour}`, text.slice(0, prefix)));
    const { percent, label, detail, message } = progress(text.slice(prefix));
    if (message) body.push(...this.message(message));
    if (label) body.push(el("span", { class: message ? "aside" : "label" }, shown(label)));
    if (percent !== null) {
      // It has moved on since somebody printed there.
      if (!message) body.push(el("progress", { max: 100, value: percent, aria: { label: label || "Progress" } }));
      body.push(el("span", { class: message ? "aside" : "percent", text: `${Math.floor(percent)}%` }));
    }
    if (detail) body.push(el("span", { class: "aside" }, shown(detail)));
    body.push(el("span", { class: "pill", text: count(row.next - row.line, "refresh", "refreshes") }), this.hitsIn(row));
    const cell = el("span", { class: "text", role: "cell" }, body.filter(Boolean));
    return this.row("bar", row, [...this.gutter(row, page.times[i]), cell]);
  }

  // What was printed while the bar stood there.
  message(text) {
    const [, prefix, name] = WORKER.exec(text) ?? [null, "", ""];
    const known = this.state.store.workers.list.find((worker) => worker.name === name);
    const rest = el("span", { class: "message" }, shown(text.slice(prefix.length).trim()));
    return [prefix && worker(known ? `worker w${known.colour}` : "worker", prefix), rest].filter(Boolean);
  }

  gap(row) {
    const { gap } = row;
    const words = `${count(gap.next - gap.first, "line")} missing (${span(gap.first, gap.next)}): ${gapReason(gap)}`;
    const body = [el("span", { class: "words", text: words })];
    if (!gap.final) body.push(el("button", { type: "button", class: "pill", data: { do: "doubt" }, text: "Ask the journal" }));
    return this.row("gap", row, [el("span", { class: "text", role: "cell" }, body)]);
  }

  mark(row) {
    const { mark } = row;
    const words = [el("span", { class: "words", text: markWords(mark) })];
    if (mark.ts) words.push(el("span", { class: "when", text: clock(mark.ts), title: day(mark.ts) }));
    return this.row("mark", row, [el("span", { class: "text", role: "cell" }, words)], `said-${mark.kind}`);
  }

  pending(row) {
    const text = `Fetching ${span(row.line, row.next)} from the journal …`;
    return this.row("pending", row, [el("span", { class: "text", role: "cell", text })]);
  }

  blank(row) {
    return this.row("blank", row, [
      el("span", { class: "number", text: String(row.line) }),
      el("span", { class: "time" }),
      el("span", { class: "text", role: "cell" }),
    ]);
  }
}

function node(piece, text) {
  if (!piece.class) return document.createTextNode(text);
  if (piece.class.startsWith("worker")) return worker(piece.class, text);
  const title = piece.shown ? "A character that cannot be seen" : undefined;
  return el("span", { class: piece.class, text: piece.shown ?? text, title });
}

// A worker's prefix; where there is little room its address is not shown.
function worker(look, text) {
  const [, name, address, rest] = /^(.*?)(, ip=[^)\s]*)?(\)? ?)$/su.exec(text);
  return el("span", { class: look }, [name, address && el("span", { class: "address", text: address }), rest]);
}

const shown = (text) => pieces(text).map((piece) => node(piece, piece.text));
