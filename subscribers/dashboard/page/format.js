// Numbers and times as people read them. Pure.

const COUNT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat("en");
const DAY_S = 86_400;

// 1234 → "1.2k"
export function compact(value) {
  if (Math.abs(value) < 10) return String(Math.round(value * 10) / 10);
  return COUNT.format(Math.abs(value) < 1000 ? Math.round(value) : value).replace("K", "k");
}

// 1234567 → "1,234,567"
export function whole(value) {
  return WHOLE.format(value);
}

export function plural(count, noun) {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// Seconds as the two largest units: "45 s", "12 min", "3 h 20 min", "5 d 2 h".
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < DAY_S) {
    const minutes = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  const hours = Math.floor((s % DAY_S) / 3600);
  return `${Math.floor(s / DAY_S)} d${hours ? ` ${hours} h` : ""}`;
}

// The same in one unit, for narrow columns: "45s", "12m", "3h", "5d".
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m`;
  if (s < 2 * DAY_S) return `${Math.floor(s / 3600)}h`;
  return `${Math.floor(s / DAY_S)}d`;
}

const two = (value) => String(value).padStart(2, "0");

// ms since 1970 → "14:02:07", with the date in front where it is not today.
export function clock(ms, { seconds = true, now = Date.now() } = {}) {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ""}`;
  if (at.toDateString() === new Date(now).toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

// Milliseconds: "0.4 ms", "12 ms", "1.2 s".
export function milliseconds(ms) {
  if (ms < 1) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  return duration(ms / 1000);
}
