// One table of keys: what they do, and the overlay that lists them.

import { h } from "./dom.js";

const bindings = []; // {keys, what, group, run}

const TYPING = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";

// `run()` may return false: the key was not for it. Without `run` it is only listed.
export function bindKeys(group, table) {
  for (const binding of table) bindings.push({ group, ...binding });
}

// `elsewhere(event)` gets the keys that nothing has the focus for; true where it used one.
export function listenForKeys(elsewhere) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog:modal")) return;
    const binding = bindings.find(({ keys, run }) => run && keys.includes(event.key));
    const used = binding ? binding.run(event.key) !== false : event.target === document.body && elsewhere(event);
    if (used) event.preventDefault();
  });
}

const spelled = (key) => ({ " ": "Space", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" })[key] ?? key;

function table(group) {
  const entries = bindings
    .filter((binding) => binding.group === group)
    .map(({ keys, what }) => h("div", { class: "key-row" }, h("dt", null, keys.map((key) => h("kbd", null, spelled(key)))), h("dd", null, what)));
  return h("section", null, h("h3", null, group), h("dl", null, entries));
}

export function showHelp() {
  const groups = [...new Set(bindings.map(({ group }) => group))];
  showDialog("Keys", h("div", { class: "key-groups" }, groups.map(table)));
}

// A modal dialog: the browser keeps the focus in it, Esc closes it, and the focus goes back.
export function showDialog(title, content, { className = "" } = {}) {
  if (document.querySelector("dialog:modal")) return null;
  const close = h("button", { class: "button-quiet", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "Esc");
  const heading = h("h2", { id: "dialog-title" }, title);
  const dialog = h(
    "dialog",
    { class: `dialog ${className}`, "aria-labelledby": "dialog-title" },
    h("div", { class: "dialog-head" }, heading, close),
    content,
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
