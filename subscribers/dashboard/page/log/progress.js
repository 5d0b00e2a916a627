// A progress bar as it was printed: its percentage, and the words around it. Pure.

const DRAWN = /^(.*?)(\d{1,3}(?:\.\d+)?)\s?%\s*(?:\|([^|]*)\||\[([#=>.\- ]*)\])(.*)$/su;
const PERCENT = /(?:^|[^\d.])(\d{1,3}(?:\.\d+)?)\s?%/;
const RATIO = /(?:^|[\s[(])(\d{1,12})\s?\/\s?(\d{1,12})(?:[\s\]),:]|$)/;
const HEAVY = /[━─╸╺█▏▎▍▌▋▊▉░▒▓]{3,}/gu;

const NUMBER_OR_BAR = /[\d.]|[━─╸╺█▏▎▍▌▋▊▉░▒▓#=>]{2,}/u;

const GLUED = /^(.*?\[[^\]]*\])(\S.*[^\]\s]\s*)$/su;

const within = (value) => (value >= 0 && value <= 100 ? value : null);

// {percent: 0…100 or null, label, detail, message}: `label` stands before the bar, `detail` behind it,
// `message` behind that: what somebody else printed, on the same line because a bar ends in none.
export function progress(text) {
  const drawn = DRAWN.exec(text);
  if (drawn && within(Number(drawn[2])) !== null) {
    const [, detail, message] = GLUED.exec(drawn[5]) ?? [null, drawn[5], ""];
    return { percent: Number(drawn[2]), label: drawn[1].trim(), detail: detail.trim(), message };
  }
  const label = text.replace(HEAVY, " ").replace(/\s{2,}/g, " ").trim();
  const percent = PERCENT.exec(text);
  if (percent) return { percent: within(Number(percent[1])), label, detail: "", message: "" };
  const ratio = RATIO.exec(text);
  if (ratio && Number(ratio[2]) > 0) {
    return { percent: within((Number(ratio[1]) / Number(ratio[2])) * 100), label, detail: "", message: "" };
  }
  return { percent: null, label, detail: "", message: "" };
}

// Whether two lines are states of one bar: both are drawn, or they begin alike, as far as the first
// number, and both tell a share or neither does. A blank line may end any bar.
export function isKin(before, after) {
  if (after.trim() === "" || before.trim() === "") return true;
  if (DRAWN.test(before) && DRAWN.test(after)) return true;
  const begin = (text) => text.trimStart().split(NUMBER_OR_BAR, 1)[0];
  return begin(before) === begin(after) && (progress(before).percent === null) === (progress(after).percent === null);
}
