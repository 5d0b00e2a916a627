// Links to a whole log: a name for the file, and NDJSON, which a link cannot ask for by itself.

import { errorOf, unreachable } from "./api_error.js";
import { h, toast } from "./dom.js";

const LOG = /^\/v1\/jobs\/[^/]+\/([^/]+)\/log$/;

export function nameDownloads() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[download]");
    const found = link && LOG.exec(link.pathname);
    if (!found) return;
    if (link.hash !== "#ndjson") {
      link.download = `${found[1]}.log`;
      return;
    }
    event.preventDefault();
    save(link.pathname, `${found[1]}.ndjson`).catch((problem) => toast(`Not downloaded: ${problem.message}`));
  });
}

async function save(url, name) {
  toast(`Downloading ${name} …`);
  const headers = { Accept: "application/x-ndjson" };
  const response = await fetch(url, { headers }).catch((problem) => Promise.reject(unreachable(problem)));
  if (!response.ok) throw await errorOf(response);
  const address = URL.createObjectURL(await response.blob());
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
