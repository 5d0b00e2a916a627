// Making elements. Text only ever becomes a text node.

// el("button", {class, text, title, on: {click}, data: {…}, aria: {…}, …attributes}, children)
export function el(tag, options = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "on") for (const [what, does] of Object.entries(value)) node.addEventListener(what, does);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "aria") for (const [key, word] of Object.entries(value)) node.setAttribute(`aria-${key}`, word);
    else if (value === true) node.setAttribute(name, "");
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const button = (text, title, click, more = {}) =>
  el("button", { type: "button", text, title, aria: { label: title }, on: { click }, ...more });

// A button that is on or off.
export function toggle(text, title, click, more = {}) {
  const node = button(text, title, click, { ...more, class: `toggle ${more.class ?? ""}`.trim() });
  node.setAttribute("aria-pressed", "false");
  return node;
}

export const press = (node, on) => node.setAttribute("aria-pressed", String(Boolean(on)));
