// Loaded before the body is drawn, so that a chosen theme does not flash in the other one.
"use strict";

try {
  const { theme } = JSON.parse(localStorage.getItem("raytap.settings") ?? "{}");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked, or holds something else: the system's theme it is.
}
