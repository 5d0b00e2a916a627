// The keys of a log, for the list of keys; log/keyboard.js acts on them.

export const paneKeys = [
  { keys: ["/"], what: "search; Enter for the next hit" },
  { keys: ["n", "N"], what: "next hit, hit before" },
  { keys: ["e", "E"], what: "next error, error before" },
  { keys: ["j", "k"], what: "line by line (or ↓ ↑)" },
  { keys: [" "], what: "page by page (Shift+Space: back)" },
  { keys: ["g", "G"], what: "begin; end, and follow" },
  { keys: ["f"], what: "follow, or stay" },
  { keys: ["l"], what: "go to a line" },
  { keys: ["Enter"], what: "unfold a traceback, a progress bar, a long line" },
  { keys: ["w"], what: "wrap long lines" },
  { keys: ["y"], what: "copy the link to this place" },
];
