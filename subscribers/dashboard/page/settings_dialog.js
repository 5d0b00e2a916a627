// The settings, and who is signed in.

import { h, setAttribute } from "./dom.js";
import { clock } from "./format.js";
import { showDialog } from "./keys.js";
import { changeSettings, getSettings } from "./settings.js";

const THEMES = [
  ["auto", "As the system"],
  ["dark", "Dark"],
  ["light", "Light"],
];
const SWITCHES = [
  ["wrap", "Wrap long lines"],
  ["numbers", "Line numbers"],
  ["time", "Time of each line"],
];

function themes() {
  const options = THEMES.map(([value, label]) => {
    const input = h("input", { type: "radio", name: "theme", value, onchange: () => changeSettings({ theme: value }) });
    input.checked = getSettings().theme === value;
    return h("label", { class: "choice" }, input, label);
  });
  return h("fieldset", null, h("legend", null, "Colours"), options);
}

function switches() {
  const boxes = SWITCHES.map(([name, label]) => {
    const input = h("input", { type: "checkbox", onchange: () => changeSettings({ [name]: input.checked }) });
    input.checked = getSettings()[name];
    return h("label", { class: "choice" }, input, label);
  });
  return h("fieldset", null, h("legend", null, "Logs"), boxes);
}

function account(session, signOut) {
  const rights = [
    ["Clusters", session.clusters.join(", ")],
    ["Jobs", session.jobs.join(", ")],
    ["May", session.actions.join(", ")],
    ...(session.expires ? [["Until", clock(session.expires * 1000)]] : []),
  ];
  return h(
    "fieldset",
    null,
    h("legend", null, `Signed in as ${session.name}`),
    h("dl", { class: "facts" }, rights.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
    h("button", { class: "button-quiet", type: "button", onclick: signOut }, "Sign out"),
  );
}

export function showSettings({ session, signOut }) {
  const content = h("div", { class: "settings" }, themes(), switches(), session?.required ? account(session, signOut) : null);
  const dialog = showDialog("Settings", content);
  if (dialog) setAttribute(dialog, "data-dialog", "settings");
}
