// Line icons on a 16 by 16 grid. Each stands beside a word, or its button has a label.

import { svg } from "./dom.js";

const PATHS = {
  running: ["M5 3.2v9.6l8-4.8z"],
  pending: ["M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11", "M8 5v3.2l2 1.3"],
  succeeded: ["M3 8.5l3.4 3.5L13 4.8"],
  failed: ["M4 4l8 8", "M12 4l-8 8"],
  stopped: ["M4 4h8v8H4z"],
  lost: ["M5.4 6a2.6 2.6 0 1 1 3.8 2.3c-.8.4-1.2.9-1.2 1.7", "M8 12.6v.2"],
  skipped: ["M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11", "M4.2 4.2l7.6 7.6"],
  warning: ["M8 2.4l6 10.8H2z", "M8 6.6v3", "M8 11.4v.2"],
  critical: ["M5.2 2h5.6L14 5.2v5.6L10.8 14H5.2L2 10.8V5.2z", "M8 4.8v3.8", "M8 11v.2"],
  info: ["M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11", "M8 7.4v3.4", "M8 5.2v.2"],
  bell: ["M8 2.2c-2.3 0-3.8 1.7-3.8 4v2.6L3 11.2h10l-1.2-2.4V6.2c0-2.3-1.5-4-3.8-4z", "M6.6 13.4h2.8"],
  muted: ["M8 2.2c-2.3 0-3.8 1.7-3.8 4v2.6L3 11.2h10l-1.2-2.4V6.2c0-2.3-1.5-4-3.8-4z", "M2.5 2.5l11 11"],
  plots: ["M2.5 2.5v11h11", "M5 10.5l2.6-3.4 2.2 1.8L13 4.5"],
  settings: ["M2.5 4.5h5.5M12 4.5h1.5", "M2.5 11.5H4M8 11.5h5.5", "M10 2.7a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6", "M6 9.7a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6"],
  help: ["M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11", "M6.3 6.6a1.7 1.7 0 1 1 2.5 1.6c-.5.3-.8.6-.8 1.2", "M8 11.2v.2"],
  beside: ["M2.5 3h11v10h-11z", "M8 3v10"],
  close: ["M4 4l8 8", "M12 4l-8 8"],
  back: ["M9.8 3.5L5.3 8l4.5 4.5"],
  account: ["M8 2.8a2.6 2.6 0 1 0 0 5.2a2.6 2.6 0 1 0 0-5.2", "M3 13.5c.5-2.6 2.4-4 5-4s4.5 1.4 5 4"],
  plug: ["M6 2.5v3M10 2.5v3", "M4 5.5h8v2.2a4 4 0 0 1-8 0z", "M8 11.7v2"],
  lock: ["M4 7.2h8v6H4z", "M5.6 7V5.2a2.4 2.4 0 0 1 4.8 0V7"],
  external: ["M9 3h4v4", "M13 3L7.5 8.5", "M11 9.5V13H3V5h3.5"],
  search: ["M7 2.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4", "M10.2 10.2l3.3 3.3"],
};
const FILLED = new Set(["running", "stopped"]);

export function icon(name) {
  const drawn = PATHS[name].map((d) => svg("path", { d }));
  const classes = `icon icon-${name}${FILLED.has(name) ? " filled" : ""}`;
  return svg("svg", { class: classes, viewBox: "0 0 16 16", "aria-hidden": "true" }, drawn);
}
