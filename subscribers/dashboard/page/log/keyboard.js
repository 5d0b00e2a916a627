// The pane's keys. What is not ours, or is typed into a field, goes on to others.

const NAMES = {
  j: "down", ArrowDown: "down", k: "up", ArrowUp: "up", PageDown: "pageDown", " ": "pageDown",
  PageUp: "pageUp", Home: "begin", g: "begin", End: "follow", G: "follow", f: "toggleFollow",
  "/": "openSearch", n: "nextHit", N: "previousHit", w: "toggleWrap", e: "nextError", E: "previousError",
  Enter: "open", y: "copyLink", l: "askLine", Escape: "dismiss",
};
const FIELDS = "input, select, textarea, [contenteditable]";

export function keyboard(commands) {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key !== "Escape" && event.target.closest(FIELDS)) return;
    const pressing = event.target.closest("button, a, summary");
    if (pressing && (event.key === "Enter" || event.key === " ")) return;
    const name = event.key === " " && event.shiftKey ? "pageUp" : NAMES[event.key];
    if (!name || commands[name]() === false) return;
    event.preventDefault();
    event.stopPropagation();
  };
}
