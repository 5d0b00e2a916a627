// Numbers, times and reasons as people read them. Pure.

const NUMBER = new Intl.NumberFormat("en");
const two = (value) => String(value).padStart(2, "0");

export const number = (value) => NUMBER.format(value);
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

// The time of day, to the millisecond; ms since 1970, 0 for none.
export function clock(ms) {
  if (!ms) return "";
  const at = new Date(ms);
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${milliseconds}`;
}

export const day = (ms) => (ms ? new Date(ms).toISOString() : "");

// [first, next) by its first and its last line.
export function span(first, next) {
  return next - first === 1 ? `line ${first}` : `lines ${first}–${next - 1}`;
}

const REASONS = {
  limit: "dropped by a limit of the broker",
  source: "lost at Ray, before the broker could read them",
  evicted: "no longer in the journal, nor at Ray",
  backfill: "written before the broker came",
  missing: "the journal does not have them",
  slow: "this browser was too slow for them",
};

export const gapReason = (gap) =>
  [REASONS[gap.reason] ?? gap.reason, gap.message].filter(Boolean).join(": ");

// What a frame without lines says, in a sentence.
export function markWords({ kind, status, message, complete, code, times }) {
  if (kind === "status") return `The job is ${status || "in an unknown state"}${message ? ` (${message})` : ""}`;
  if (kind === "end") {
    const whole = complete === false ? "The end of its log could not be read" : "The log is complete";
    const why = message ? ` (${message})` : "";
    return `The job has ended: ${status || "unknown"}${why}. ${whole}.`;
  }
  if (kind === "reset") return `The log file was replaced${message ? `: ${message}` : ""}. Its lines begin at 0.`;
  return `${code ? `${code}: ` : ""}${message || kind}${times > 1 ? ` (${number(times)} times)` : ""}`;
}
