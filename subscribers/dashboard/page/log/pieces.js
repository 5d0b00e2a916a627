// A line's text in pieces that look different: its worker, hits, a badge, what cannot be seen. Pure.

// Characters that have no form of their own but change what is seen: they are shown by number.
const UNSEEN =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
const REPEATED = /\[repeated (\d+)x across cluster\]( \(Ray deduplicates logs by default.*)?/;

export const codePoint = (text) =>
  `U+${text.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

function marksOf(text, { prefix, colour, repeated, ranges }) {
  const marks = [];
  if (prefix > 0) marks.push({ from: 0, to: prefix, class: `worker w${colour}` });
  if (repeated) {
    const found = REPEATED.exec(text);
    if (found) {
      const end = found.index + found[0].length;
      const tail = end - (found[2]?.length ?? 0);
      marks.push({ from: found.index, to: tail, class: "repeated" });
      if (found[2]) marks.push({ from: tail, to: end, class: "aside" });
    }
  }
  for (const [from, to] of ranges) marks.push({ from, to, class: "hit" });
  UNSEEN.lastIndex = 0;
  for (let match; (match = UNSEEN.exec(text)); ) {
    const shown = codePoint(match[0]);
    marks.push({ from: match.index, to: match.index + match[0].length, class: "control", shown });
  }
  return marks;
}

// [{text, class, shown}], whose texts are together the whole text; `shown` replaces one to the eye.
export function pieces(text, { prefix = 0, colour = 0, repeated = false, ranges = [] } = {}) {
  const marks = marksOf(text, { prefix, colour, repeated, ranges });
  if (marks.length === 0) return [{ text, class: "" }];
  const cuts = new Set([0, text.length]);
  for (const mark of marks) cuts.add(mark.from).add(Math.min(mark.to, text.length));
  const points = [...cuts].sort((a, b) => a - b);
  const found = [];
  for (let i = 0; i + 1 < points.length; i += 1) {
    const [from, to] = [points[i], points[i + 1]];
    const on = marks.filter((mark) => mark.from <= from && to <= mark.to);
    found.push({
      text: text.slice(from, to),
      class: on.map((mark) => mark.class).join(" "),
      shown: on.find((mark) => mark.shown)?.shown,
    });
  }
  return found;
}
