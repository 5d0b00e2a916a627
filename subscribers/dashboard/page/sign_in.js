// Signing in with a token, over whatever is open: it is all still there afterwards.

import { api } from "./api.js";
import { h, setText } from "./dom.js";
import { icon } from "./icons.js";

let open = null;

// Resolves once someone has signed in. `again`: a session ended, rather than none has begun.
export function signIn({ again }) {
  open ??= ask(again).finally(() => (open = null));
  return open;
}

function ask(again) {
  const field = h("input", {
    id: "token",
    type: "password",
    name: "token",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    "aria-describedby": "token-problem",
  });
  const problem = h("p", { id: "token-problem", class: "problem", role: "alert" });
  const button = h("button", { class: "button", type: "submit" }, "Sign in");
  const form = h("form", { method: "dialog" }, h("label", { for: "token" }, "Token"), field, problem, button);
  const dialog = h(
    "dialog",
    { class: "sign-in", "aria-labelledby": "sign-in-title" },
    h(
      "div",
      { class: "sign-in-card" },
      h("p", { class: "brand" }, h("img", { src: "/static/favicon.svg", alt: "", width: "28", height: "28" }), "raytap"),
      h("h1", { id: "sign-in-title" }, again ? "Your session is over" : "Sign in to read logs"),
      h("p", null, again ? "Sign in again, and you are back where you were." : "This raytap asks for a token: it says which jobs you may read."),
      form,
      h(
        "details",
        null,
        h("summary", null, "I have no token"),
        h("p", null, "Ask whoever runs this raytap. They make one with"),
        h("pre", null, h("code", null, "raytap token new NAME >> raytap.toml")),
        h("p", null, "and give you the line that begins with ", h("code", null, "raytap_"), ". Where it is set up, a JSON Web Token of your identity provider does too."),
      ),
      h("p", { class: "fine" }, icon("lock"), "The token is exchanged for a cookie that scripts cannot read, and is kept nowhere."),
    ),
  );

  document.body.append(dialog);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // there is nothing behind it
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.preventDefault();
  });
  dialog.showModal();
  field.focus();

  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const token = field.value.trim();
      if (!token) return;
      button.disabled = true;
      setText(problem, "");
      try {
        await api.signIn(token);
      } catch (error) {
        setText(problem, explained(error));
        button.disabled = false;
        field.select();
        return;
      }
      dialog.close();
      dialog.remove();
      resolve();
    });
  });
}

function explained(error) {
  if (error.status === 401) return "This token is not known, or it has expired. Paste all of it, without quotes.";
  if (error.status === 0) return "The gateway does not answer. Is raytap dashboard running? Try again in a moment.";
  return `It did not work: ${error.message}`;
}
