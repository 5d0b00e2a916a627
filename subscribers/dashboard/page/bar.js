// The bar on top: the name, the connection, and the way to everything that is not a log.

import { h, setAttribute, setText } from "./dom.js";
import { icon } from "./icons.js";

const WORDS = { connecting: "connecting", live: "live", disconnected: "disconnected" };

// `on`: {home(), panel(name), settings(), help(), account()}
export function createBar(element, on) {
  const word = h("span", { class: "link-word" }, WORDS.connecting);
  const link = h("p", { class: "link", "data-link": "connecting" }, h("span", { class: "link-dot" }), word);
  const count = h("span", { class: "badge", hidden: true });
  const who = h("span", { class: "button-label" });
  const button = (name, label, key, onclick, ...more) =>
    h(
      "button",
      { class: "bar-button", type: "button", onclick, "aria-keyshortcuts": key, title: key ? `${label} (${key})` : label },
      icon(name),
      h("span", { class: "button-label" }, label),
      more,
    );
  const plots = button("plots", "Plots", "p", () => on.panel("plots"));
  const alerts = button("bell", "Alerts", "a", () => on.panel("alerts"), count);
  const account = h("button", { class: "bar-button", type: "button", onclick: on.account, title: "Signed in", hidden: true }, icon("account"), who);
  const brand = h(
    "a",
    { class: "brand", href: "/", "aria-label": "raytap: all jobs" },
    h("img", { src: "/static/favicon.svg", alt: "", width: "22", height: "22" }),
    "raytap",
  );
  brand.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    on.home();
  });
  element.append(
    brand,
    link,
    h("div", { class: "bar-buttons" }, plots, alerts, button("settings", "Settings", ",", on.settings), button("help", "Keys", "?", on.help), account),
  );

  return {
    connection(name) {
      setAttribute(link, "data-link", name);
      setText(word, WORDS[name]);
    },
    // `severity`: the worst of them.
    firing(number, sentence, severity) {
      count.hidden = number === 0;
      setText(count, String(number));
      setAttribute(count, "data-severity", severity);
      setAttribute(alerts, "aria-label", `Alerts: ${sentence}`);
    },
    panel(name) {
      setAttribute(plots, "aria-pressed", String(name === "plots"));
      setAttribute(alerts, "aria-pressed", String(name === "alerts"));
    },
    signedIn(session) {
      account.hidden = !session?.required;
      setText(who, session?.name ?? "");
      setAttribute(account, "aria-label", `Signed in as ${session?.name ?? ""}`);
    },
  };
}
