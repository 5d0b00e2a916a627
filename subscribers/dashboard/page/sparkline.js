// A minute of lines/s, as small as a word. It says nothing to a screen reader: the number beside
// it does.

import { setAttribute, svg } from "./dom.js";

const WIDTH = 60;
const HEIGHT = 18;

export function createSparkline() {
  const area = svg("path", { class: "spark-area" });
  const line = svg("path", { class: "spark-line" });
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const element = svg("svg", { class: "spark", ...box, "aria-hidden": "true" }, area, line);
  return {
    element,
    update(values) {
      const most = Math.max(1, ...values);
      const step = WIDTH / Math.max(1, values.length - 1);
      const y = (value) => (HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1);
      const points = values.map((value, index) => `${(index * step).toFixed(1)} ${y(value)}`);
      const path = points.length ? `M${points.join("L")}` : "";
      setAttribute(line, "d", path);
      setAttribute(area, "d", path && `${path}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
    },
  };
}
