// Axes: round steps for values and for times. Pure.

// Round ticks from 0 to at least `most`, about `count` of them; `least` is the smallest step.
export function valueTicks(most, least = 0, count = 4) {
  const rough = Math.max(most / count, least, 1e-9);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let index = 0; index < 2 || (index - 1) * step < most; index += 1) ticks.push(index * step);
  return ticks;
}

const STEPS_S = [10, 30, 60, 120, 300, 600, 900, 1800, 3600];

// Round times (ms) within [from, until], at most `count` of them.
export function timeTicks(from, until, count = 6) {
  const step = 1000 * (STEPS_S.find((seconds) => (until - from) / (seconds * 1000) <= count) ?? 3600);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= until; at += step) ticks.push(at);
  return ticks;
}
