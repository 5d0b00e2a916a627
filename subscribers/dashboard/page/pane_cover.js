// What lies over a pane that can show no log: why, and what to do.

import { h } from "./dom.js";
import { icon } from "./icons.js";

// The cover for a connection of "forbidden" or "missing"; null for any other.
export function paneCover(connection, { cluster, job }, { session, signOut, home }) {
  if (connection === "forbidden") {
    const who = session?.name ? `Signed in as ${session.name}, which may read ${may(session)}.` : "Your token does not allow it.";
    return cover("lock", `You may not read ${job}`, [
      h("p", null, who),
      h("p", null, "Ask whoever runs this raytap to allow ", h("code", null, `${cluster}/${job}`), " for your token (", h("code", null, "jobs"), " under ", h("code", null, "[access.token]"), " in raytap.toml), or sign in with another one."),
      h("p", { class: "actions" }, h("button", { class: "button", type: "button", onclick: signOut }, "Use another token"), backButton(home)),
    ]);
  }
  if (connection === "missing") {
    return cover("lost", `No job ${job} here`, [
      h("p", null, "Cluster ", h("code", null, cluster), " has no job of this name that raytap follows or remembers. It opens by itself when it starts."),
      h("p", null, "A job that ended long ago may have left the journal: ", h("code", null, "[journal]"), " in raytap.toml says for how long it is kept."),
      h("p", { class: "actions" }, backButton(home)),
    ]);
  }
  return null;
}

function may({ clusters, jobs }) {
  return `jobs ${jobs.join(", ") || "(none)"} of clusters ${clusters.join(", ") || "(none)"}`;
}

function backButton(home) {
  return h("button", { class: "button-quiet", type: "button", onclick: home }, "Show all jobs");
}

function cover(name, title, content) {
  return h("div", { class: "cover" }, h("div", { class: "state", role: "alert" }, icon(name), h("h3", null, title), content));
}
