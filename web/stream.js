// Follows one request's event stream to its end, whatever happens to the connection on the way.
//
//   connecting --open--> live --error, browser retries--> reconnecting --open--> live
//                         |                                    |
//                         |                                    +--error, browser gave up--> recovering
//                         +--completed, failed, cancelled--> over
//   recovering: read the request; over -> end with it, else open a new stream with a fresh ticket behind the last event
//   seen -> connecting
//
// Without an address, which carries the ticket, it begins as if recovering.
//
// An event is handed on at most once: its id must lie behind every id before it. Events without an id come in two
// places only, both told apart below: a new `queued` position, and `reset`.

import { readRequest, streamAddress } from "./api.js";
import { APIError, pause } from "./http.js";

const recoveryDelayMax = 15000;
const refusalsMax = 5;
/** A page that was hidden this long asks again, because a phone may have dropped the connection without a word. */
const hiddenMax = 15000;

/**
 * Follows a request; `streamUrl` is missing where the page only knows its id. `on` is told of everything, always in order:
 * `connection(state)` with "connecting", "live", "reconnecting" or "recovering"; `queued(data)`, `started(data)`,
 * `text(string)`, `reasoning(string)`, `dropText(reason)`; and once, last, `end(kind, data)` with
 * "completed", "failed", "cancelled" (data as in the event, with `answer` when it came by another way), or "lost" (data
 * is an APIError).
 * Returns `close()`, which ends it without a word, and `finish(record)`, which ends it with a request that is over.
 */
export function follow({ id, streamUrl }, on) {
  const closed = new AbortController();
  let address = streamUrl;
  let source = null;
  let cursor = null;
  let cursorId = "";
  let idBeforeReset = "";
  let refusals = 0;
  let recoveries = 0;
  let hiddenSince = null;

  function open() {
    source?.close();
    const url = new URL(address, location.href);
    if (cursorId !== "") url.searchParams.set("lastEventId", cursorId);
    source = new EventSource(url);
    source.addEventListener("open", opened);
    source.addEventListener("error", broken);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        const data = parse(event.data);
        if (data !== null) handle(data, event);
      });
    }
  }

  function opened() {
    refusals = 0;
    // Without an id to resume from, the server tells everything from the first event.
    if (cursor === null) on.dropText("replay");
    on.connection("live");
  }

  function broken() {
    if (source.readyState === EventSource.CLOSED) recover();
    else on.connection(cursor === null ? "connecting" : "reconnecting");
  }

  const handlers = {
    queued(data, event) {
      isNew(event);
      on.queued(data);
    },
    started: once((data) => {
      on.dropText("started");
      on.started(data);
    }),
    restarted: once((data) => {
      on.dropText(data.reason);
      on.started(data);
    }),
    reset(data, event) {
      idBeforeReset = event.lastEventId;
      cursor = null;
      cursorId = "";
      on.dropText(data.reason);
    },
    token: once((data) => on.text(String(data.text ?? ""))),
    reasoning: once((data) => on.reasoning(String(data.text ?? ""))),
    completed: once((data) => end("completed", data)),
    failed: once((data) => end("failed", data)),
    cancelled: once((data) => end("cancelled", data)),
  };

  function once(handle) {
    return (data, event) => {
      if (isNew(event)) handle(data);
    };
  }

  /** Whether the event is seen for the first time; moves the cursor to it. */
  function isNew({ lastEventId }) {
    // A browser shows the last id it knows on an event that has none.
    if (lastEventId === "" || lastEventId === idBeforeReset) return true;
    const next = /^(\d+)-(\d+)$/.exec(lastEventId)?.slice(1).map(Number);
    if (next === undefined) return true;
    if (cursor !== null && (next[0] < cursor[0] || (next[0] === cursor[0] && next[1] <= cursor[1]))) return false;
    cursor = next;
    cursorId = lastEventId;
    idBeforeReset = "";
    recoveries = 0;
    return true;
  }

  async function recover() {
    on.connection(address === undefined ? "connecting" : "recovering");
    while (!closed.signal.aborted) {
      try {
        const record = await readRequest(id, { asks: address === undefined || refusals >= refusalsMax });
        if (closed.signal.aborted || finish(record)) return;
        if (address !== undefined) await backOff();
        address = await freshAddress();
        if (!closed.signal.aborted) open();
        return;
      } catch (error) {
        if (closed.signal.aborted) return;
        if (error instanceof APIError && [404, 410].includes(error.status)) return end("lost", error);
        if (error instanceof APIError && [401, 403].includes(error.status)) {
          // The ticket in the stream's address may still be good where this page has no token.
          refusals += 1;
          if (refusals > refusalsMax || address === undefined) return end("lost", error);
          await backOff().catch(() => {});
          if (!closed.signal.aborted) open();
          return;
        }
        await backOff().catch(() => {});
      }
    }
  }

  /** The stream's address with a fresh ticket; a replica of the release before this one has none to give. */
  async function freshAddress() {
    try {
      return await streamAddress(id);
    } catch (error) {
      if (error.status !== 404) throw error;
      return address ?? `/api/math/stream/${encodeURIComponent(id)}`;
    }
  }

  function backOff() {
    const longest = Math.min(1000 * 2 ** recoveries, recoveryDelayMax);
    recoveries += 1;
    return pause(longest * (0.5 + Math.random() / 2), closed.signal);
  }

  function finish(record) {
    if (closed.signal.aborted) return true;
    if (!["completed", "failed", "cancelled"].includes(record.status)) return false;
    end(record.status, record.status === "failed" ? { ...record, ...record.error } : record);
    return true;
  }

  function end(kind, data) {
    if (closed.signal.aborted) return;
    close();
    on.end(kind, data);
  }

  function close() {
    closed.abort();
    source?.close();
  }

  function reopen() {
    if (source === null || source.readyState === EventSource.CLOSED) return;
    on.connection("reconnecting");
    open();
  }

  function visibilityChanged() {
    if (document.hidden) {
      hiddenSince = performance.now();
    } else if (hiddenSince !== null && performance.now() - hiddenSince > hiddenMax) {
      reopen();
    }
  }

  window.addEventListener("online", reopen, { signal: closed.signal });
  document.addEventListener("visibilitychange", visibilityChanged, { signal: closed.signal });
  on.connection("connecting");
  if (address === undefined) recover();
  else open();
  return { close, finish };
}

function parse(text) {
  try {
    const data = JSON.parse(text);
    return typeof data === "object" && data !== null ? data : null;
  } catch {
    return null;
  }
}
