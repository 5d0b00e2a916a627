// Server-sent events over fetch. Unlike EventSource it knows the status of a refusal, resumes with
// Last-Event-ID after one too, backs off, notices a dead connection, and a tab that reads too
// slowly is back-pressured rather than buffered.

import { ApiError, errorOf, unreachable } from "./api_error.js";

const SILENCE_MS = 45_000; // the gateway sends a comment every 15 s
const BACKOFF_MS = { base: 500, cap: 15_000 };

// Bytes to events; `push` takes decoded text, `emit` gets {event, data, id}.
export class EventParser {
  constructor(emit) {
    this.emit = emit;
    this.rest = "";
    this.clear();
  }

  clear() {
    this.event = "message";
    this.data = [];
  }

  push(text) {
    const buffer = this.rest + text;
    // A CR at the end may be half of a CRLF.
    const end = buffer.endsWith("\r") ? buffer.length - 1 : buffer.length;
    const lines = buffer.slice(0, end).split(/\r\n|\n|\r/);
    this.rest = lines.pop() + buffer.slice(end);
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === "") {
      if (this.data.length) {
        this.emit({ event: this.event, data: this.data.join("\n"), id: this.id });
      }
      this.clear();
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.data.push(value);
    else if (field === "event") this.event = value;
    else if (field === "id") this.id = value;
  }
}

// Follows `url` until closed. `on`: {open(), event(name, data, id), error(ApiError)}; an error has
// `final` where it will not be tried again, else `retryAt` (ms since 1970). `signIn(stamp)` is awaited
// after a 401 to what was begun at `stamp()`, then the stream goes on where it was.
export function followEvents(url, { lastEventId = "", on, signIn, stamp = () => 0 }) {
  let closed = false;
  let everOpen = false;
  let failures = 0;
  let abort = new AbortController();
  let wake = () => {};

  const retryNow = () => wake();
  const looked = () => document.hidden || wake();
  window.addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", looked);

  function stopWaiting() {
    window.removeEventListener("online", retryNow);
    document.removeEventListener("visibilitychange", looked);
  }

  async function once() {
    abort = new AbortController();
    let watchdog;
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    heard();
    try {
      const headers = { Accept: "text/event-stream" };
      if (lastEventId) headers["Last-Event-ID"] = lastEventId;
      const response = await fetch(url, { headers, signal: abort.signal, cache: "no-store" });
      if (!response.ok) throw await errorOf(response);
      everOpen = true;
      on.open?.();
      const parser = new EventParser(({ event, data, id }) => {
        if (closed) return;
        failures = 0;
        if (id) lastEventId = id;
        try {
          on.event(event, data, id);
        } catch (problem) {
          reportError(problem); // of the page's own making: no reason to reconnect
        }
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        heard();
        parser.push(value);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  function pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function run() {
    while (!closed) {
      const asOf = stamp();
      let error;
      try {
        await once();
        error = new ApiError(0, "the connection ended");
      } catch (problem) {
        error = problem instanceof ApiError ? problem : unreachable(problem);
      }
      if (closed) return;
      // What a gateway that just started does not know yet, it may know in a moment.
      error.final = error.status === 403 || error.status === 400 || (error.status === 404 && !everOpen);
      if (error.status === 401) {
        on.error?.(error);
        await signIn(asOf);
        continue;
      }
      if (error.final) {
        on.error?.(error);
        break;
      }
      const most = Math.min(BACKOFF_MS.cap, BACKOFF_MS.base * 2 ** failures);
      failures += 1;
      const wait = Math.max((error.retryAfter ?? 0) * 1000, most * (0.5 + Math.random() / 2));
      error.retryAt = Date.now() + wait;
      on.error?.(error);
      await pause(wait);
    }
    stopWaiting();
  }

  run();
  return {
    close() {
      closed = true;
      stopWaiting();
      abort.abort();
      wake();
    },
    retry: retryNow,
  };
}
