// What was typed into the search field: for the gateway as RE2, for marking as a RegExp. Pure.

const SPECIAL = /[\\^$.*+?()[\]{}|]/g;
// A repeat of a repeat may take the browser's matcher for ever; RE2, at the gateway, not.
const EXPLOSIVE = /[*+}][^()]*\)[*+{]|\([^()]*\|[^()]*\)[*+{]|\\\d/;

export class Pattern {
  // `regex`: it is one; `exact`: case matters.
  constructor(text, { regex = false, exact = false } = {}) {
    this.text = text;
    this.regex = regex;
    this.exact = exact;
    this.source = regex ? text : text.replace(SPECIAL, "\\$&");
    this.matcher = null; // none where only the gateway can match it
    if (!regex || !EXPLOSIVE.test(text)) {
      try {
        this.matcher = new RegExp(this.source.replace(/^\(\?i\)/, ""), exact ? "g" : "gi");
      } catch {
        // RE2 knows it, or says what is wrong with it.
      }
    }
  }

  // Plain text that looks as if a regular expression was meant.
  get meant() {
    return !this.regex && /[\\^$*+?()[\]{}|]/.test(this.text);
  }

  get empty() {
    return this.text === "";
  }

  test(text) {
    this.matcher.lastIndex = 0;
    return this.matcher.test(text);
  }

  // The matches in a text, [from, to) each; matches of nothing are none.
  ranges(text, most = 200) {
    const found = [];
    if (!this.matcher) return found;
    this.matcher.lastIndex = 0;
    for (let match; found.length < most && (match = this.matcher.exec(text)); ) {
      if (match[0] === "") this.matcher.lastIndex += 1;
      else found.push([match.index, match.index + match[0].length]);
    }
    return found;
  }
}
