// The panel under the log: plots or alerts.

import { h, setAttribute } from "./dom.js";
import { icon } from "./icons.js";

const TABS = [
  { name: "plots", label: "Plots" },
  { name: "alerts", label: "Alerts" },
];

// `choose(name)` is called with the panel to show, "" for none.
export function createPanel(element, { plots, alerts, choose }) {
  const tabs = TABS.map(({ name, label }) => ({
    name,
    button: h("button", { class: "tab", type: "button", id: `tab-${name}`, onclick: () => choose(name) }, label),
  }));
  const body = h("div", { class: "panel-body", tabindex: "-1" });
  element.append(
    h(
      "div",
      { class: "panel-head" },
      h("div", { class: "tabs", role: "group", "aria-label": "Panel" }, tabs.map(({ button }) => button)),
      h("button", { class: "button-icon", type: "button", "aria-label": "Close the panel", onclick: () => choose("") }, icon("close")),
    ),
    body,
  );

  return {
    // `focus`: someone asked for it just now.
    show(name, { focus = false } = {}) {
      element.hidden = !name;
      if (name !== "plots") plots.hide();
      if (!name) return;
      for (const tab of tabs) setAttribute(tab.button, "aria-pressed", String(tab.name === name));
      setAttribute(element, "aria-label", name === "plots" ? "Plots" : "Alerts");
      const content = name === "plots" ? plots.element : alerts.element;
      if (body.firstChild !== content) body.replaceChildren(content);
      if (name === "plots") plots.show();
      if (focus) body.focus({ preventScroll: true });
    },
  };
}
