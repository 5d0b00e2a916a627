// A progress bar as it was printed: its percentage, and the words around it. Pure.

const DRAWN = /^(.*?)(\d{1,3}(?:\.\d+)?)\s?%\s*(?:\|([^|]*)\||\[([#=>.\- ]*)\])(.*)$/su;
const PERCENT = /(?:^|[^\d.])(\d{1,3}(?:\.\d+)?)\s?%/;
const RATIO = /(?:^|[\s[(])(\d{1,12})\s?\/\s?(\d{1,12})(?:[\s\]),:]|$)/;
const HEAVY = /[━─╸╺█▏▎▍▌▋▊▉░▒▓]{3,}/gu;

const within = (value) => (value >= 0 && value <= 100 ? value : null);

// {percent: 0…100 or null, label, detail}: `label` stands before the bar, `detail` behind it.
export function progress(text) {
  const drawn = DRAWN.exec(text);
  if (drawn && within(Number(drawn[2])) !== null) {
    return { percent: Number(drawn[2]), label: drawn[1].trim(), detail: drawn[5].trim() };
  }
  const label = text.replace(HEAVY, " ").replace(/\s{2,}/g, " ").trim();
  const percent = PERCENT.exec(text);
  if (percent) return { percent: within(Number(percent[1])), label, detail: "" };
  const ratio = RATIO.exec(text);
  if (ratio && Number(ratio[2]) > 0) {
    return { percent: within((Number(ratio[1]) / Number(ratio[2])) * 100), label, detail: "" };
  }
  return { percent: null, label, detail: "" };
}
