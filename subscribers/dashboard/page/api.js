// The gateway's HTTP API, as the page uses it. Every function raises ApiError; whatever meets a 401
// waits until someone has signed in again, and goes on then.

import { ApiError, errorOf, unreachable } from "./api_error.js";
import { followEvents } from "./event_stream.js";

export { ApiError };

const TIMEOUT_MS = 20_000;
const HIDDEN_MS = 30_000;

const path = (cluster, job) =>
  `/v1/jobs/${encodeURIComponent(cluster)}/${encodeURIComponent(job)}`;

function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given).toString();
  return text && `?${text}`;
}

let asked = () => {}; // called when a token is needed
let waiting = null; // {promise, resolve} while one is
let signIns = 0;

const stamp = () => signIns;

// For a request that was begun at `asOf` and met a 401: one that was on its way while someone
// signed in is only sent again.
function signedIn(asOf) {
  if (asOf < signIns) return Promise.resolve();
  if (!waiting) {
    let resolve;
    const promise = new Promise((done) => (resolve = done));
    waiting = { promise, resolve };
    asked();
  }
  return waiting.promise;
}

async function request(url, options = {}) {
  let response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(url, { cache: "no-store", signal, ...options });
  } catch (problem) {
    throw unreachable(problem);
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function json(url) {
  for (;;) {
    const asOf = stamp();
    try {
      return await (await request(url)).json();
    } catch (error) {
      if (error.status === 401) await signedIn(asOf);
      else throw error instanceof ApiError ? error : unreachable(error);
    }
  }
}

// A stream that lets go of its connection while the tab is hidden (a browser opens six to a host,
// for all tabs together), and goes on without a hole when it is looked at again.
function whileVisible(follow) {
  let current = null;
  let last = "";
  let timer;
  const open = () => (current ??= follow(last, (id) => (last = id)));
  const changed = () => {
    clearTimeout(timer);
    if (!document.hidden) open();
    else {
      timer = setTimeout(() => {
        current?.close();
        current = null;
      }, HIDDEN_MS);
    }
  };
  open();
  document.addEventListener("visibilitychange", changed);
  return {
    close() {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", changed);
      current?.close();
    },
  };
}

export const api = {
  // `callback()` is called once when a token is needed; signIn ends the wait.
  onTokenNeeded(callback) {
    asked = callback;
  },

  // Who is signed in; ApiError 401 where a token is needed.
  async session() {
    return (await request("/v1/session")).json();
  },

  async signIn(token) {
    // A header holds no more than this; what else was pasted is no token.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new ApiError(401, "this is not a token");
    const headers = { Authorization: `Bearer ${token}` };
    await request("/v1/session", { method: "POST", headers });
    signIns += 1;
    waiting?.resolve();
    waiting = null;
  },

  async signOut() {
    await request("/v1/session", { method: "DELETE" });
  },

  jobs() {
    return json("/v1/jobs");
  },

  lines(cluster, job, { from, limit, epoch } = {}) {
    return json(`${path(cluster, job)}/lines${query({ from, limit, epoch })}`);
  },

  search(cluster, job, { q, from, limit, case: exact } = {}) {
    const asked = query({ q, from, limit, case: exact ? 1 : undefined });
    return json(`${path(cluster, job)}/search${asked}`);
  },

  // Live frames; on: {frame(f), skipped(s), state(s), open(), error(e)}. `error` is told each time
  // that it is cut; it reconnects by itself unless `e.final`.
  stream(cluster, job, { from, lastEventId } = {}, on) {
    return whileVisible((last, keep) => {
      const resume = last || lastEventId;
      return followEvents(`${path(cluster, job)}/stream${query({ from: resume ? undefined : from })}`, {
        lastEventId: resume,
        signIn: signedIn,
        stamp,
        on: {
          open: on.open,
          error: on.error,
          event(name, data, id) {
            if (id) keep(id);
            on[name]?.(JSON.parse(data));
          },
        },
      });
    });
  },

  // The list of jobs and the alerts, whenever they change; on: {jobs(j), alerts(a), open(), error(e)}.
  events(on) {
    return followEvents("/v1/events", {
      signIn: signedIn,
      stamp,
      on: {
        open: on.open,
        error: on.error,
        event(name, data) {
          on[name]?.(JSON.parse(data));
        },
      },
    });
  },

  stats(cluster, job, minutes) {
    return json(`/v1/stats${query({ cluster, job, minutes })}`);
  },

  alerts() {
    return json("/v1/alerts");
  },

  // Where the whole log can be downloaded; what a link cannot say, downloads.js reads in the hash.
  logUrl(cluster, job, { format } = {}) {
    return `${path(cluster, job)}/log${format === "ndjson" ? "#ndjson" : ""}`;
  },
};
