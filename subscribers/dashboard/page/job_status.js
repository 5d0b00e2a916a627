// What a job's row says about it, as an icon, a word and a tone. Pure.

const STATUSES = {
  PENDING: { icon: "pending", word: "pending", tone: "quiet" },
  RUNNING: { icon: "running", word: "running", tone: "ok" },
  SUCCEEDED: { icon: "succeeded", word: "succeeded", tone: "quiet" },
  FAILED: { icon: "failed", word: "failed", tone: "error" },
  STOPPED: { icon: "stopped", word: "stopped", tone: "quiet" },
  LOST: { icon: "lost", word: "lost", tone: "warn" },
};
const OVER = { icon: "stopped", word: "ended", tone: "quiet" };
const ENDED = new Set(["SUCCEEDED", "FAILED", "STOPPED", "LOST"]);
export const TROUBLE = new Set(["FAILED", "LOST"]);

// A daemon that came back knows that a log has ended before it has Ray's word on how.
export const hasEnded = (job) => ENDED.has(job.status) || job.state === "ended";

// {icon, word, tone, detail}: detail says more, in a sentence, where there is more to say.
export function statusOf(job) {
  if (job.state === "skipped") {
    return { icon: "skipped", word: "not followed", tone: "warn", detail: job.reason };
  }
  if (job.state === "queued") {
    return { icon: "pending", word: "queued", tone: "quiet", detail: "waits until raytap has room for it" };
  }
  if (hasEnded(job)) return { ...(ENDED.has(job.status) ? STATUSES[job.status] : OVER), detail: job.reason };
  const known = STATUSES[job.status] ?? { icon: "pending", word: "starting", tone: "quiet" };
  if (job.state === "failed") {
    return { icon: "warning", word: "not read", tone: "error", detail: job.reason || job.last_error };
  }
  if (job.state === "reconnecting") {
    return { icon: "warning", word: "reconnecting", tone: "warn", detail: job.last_error };
  }
  return { ...known, detail: "" };
}

// The chips over the list.
export const FILTERS = [
  { name: "all", label: "All", keeps: () => true },
  { name: "running", label: "Running", keeps: (job) => !hasEnded(job) },
  { name: "failed", label: "Failed", keeps: (job) => TROUBLE.has(job.status) || job.state === "failed" },
  { name: "firing", label: "Firing", keeps: (job) => job.alerts > 0 },
  { name: "ended", label: "Ended", keeps: hasEnded },
];

// What is looked at first stands first: jobs that run, the newest on top; then those that ended,
// the last one on top.
export function inOrder(a, b) {
  const ended = hasEnded(a) - hasEnded(b);
  if (ended) return ended;
  const newest = hasEnded(a) ? b.last_frame_ts - a.last_frame_ts : b.run - a.run;
  return newest || (a.job < b.job ? -1 : 1);
}
