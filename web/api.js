// The HTTP side of the API: submit a problem, read a request, stop it, and what there is to do with conversations.

/** The longest problem the server takes, in Unicode scalars after trimming. */
export const problemLengthMax = 8000;

const retryDelayMax = 15;

let accessToken = null;

/** Sets the access token to send along, kept in memory only; null where the server asks for none. */
export function setAccessToken(token) {
  accessToken = token;
}

/**
 * A refusal by the server, in its own words where it sent a problem object (RFC 9457).
 * `status` is 0 when no answer came at all; `retryAfter` is in seconds, or null.
 */
export class APIError extends Error {
  constructor({ status = 0, title, detail = "", errors = [], requestId = "", retryAfter = null }) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** A UUIDv4; `crypto.randomUUID` exists in secure contexts only, and a phone on the same network comes over http. */
export function makeKey() {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Submits a problem and returns the accepted request.
 *
 * Tries again with the same key after a lost connection, a gateway error, 429 and 503, so that the server makes one job
 * however often it is asked. `onWait(seconds, error)` tells of each pause; `signal` ends the pauses, but never cuts a
 * submission in flight, because its fate would be unknown.
 */
export async function submit({ problem, conversationId, provider, key }, { onWait, onSend, signal }) {
  const body = JSON.stringify({ problem, conversationId, provider });
  for (let attempt = 0; ; attempt += 1) {
    try {
      onSend();
      return await call("POST", "/api/math/solve", { body, headers: { "Idempotency-Key": key } });
    } catch (error) {
      if (!(error instanceof APIError) || ![0, 429, 502, 503, 504].includes(error.status)) throw error;
      signal.throwIfAborted();
      const seconds = error.retryAfter ?? Math.min(2 ** attempt, retryDelayMax);
      onWait(seconds, error);
      await pause(seconds * 1000, signal);
    }
  }
}

/** Reads a request as the server knows it. */
export function readRequest(id) {
  return call("GET", `/api/math/requests/${encodeURIComponent(id)}`);
}

/** Stops a request; idempotent. Resolves with the request as it is by then. */
export function stopRequest(id) {
  return call("DELETE", `/api/math/requests/${encodeURIComponent(id)}`);
}

/** A page of the user's conversations, the most recently changed first; `cursor` is null for the first one. */
export function listConversations(cursor) {
  return call("GET", `/api/conversations${query(cursor)}`);
}

/** A page of a conversation's messages, the newest page first, in it the newest last. */
export function readMessages(id, cursor) {
  return call("GET", `/api/conversations/${encodeURIComponent(id)}/messages${query(cursor)}`);
}

export function renameConversation(id, title) {
  return call("PATCH", `/api/conversations/${encodeURIComponent(id)}`, { body: JSON.stringify({ title }) });
}

/** Deletes a conversation with its answers, and cancels what runs in it. */
export function deleteConversation(id) {
  return call("DELETE", `/api/conversations/${encodeURIComponent(id)}`);
}

function query(cursor) {
  return cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
}

/** Resolves after `milliseconds`; rejects with the signal's reason when that fires first. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted() {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

async function call(method, path, { body, headers = {} } = {}) {
  const all = new Headers({ Accept: "application/json", ...headers });
  if (body !== undefined) all.set("Content-Type", "application/json");
  if (accessToken !== null) all.set("Authorization", `Bearer ${accessToken}`);
  let response;
  let text;
  try {
    response = await fetch(path, { method, body, headers: all, cache: "no-store" });
    text = await response.text();
  } catch {
    throw new APIError({ title: "The server cannot be reached" });
  }
  if (response.status === 204) return null;
  if (response.ok) {
    const value = parseObject(text);
    if (value === null) throw new APIError({ status: response.status, title: "The server's answer makes no sense" });
    return value;
  }
  throw refusal(response, text);
}

function refusal(response, text) {
  const problem = parseObject(text) ?? {};
  return new APIError({
    status: response.status,
    title: string(problem.title) || `The server answered ${response.status} ${response.statusText}`.trim(),
    detail: string(problem.detail),
    errors: errorList(problem),
    requestId: string(problem.requestId) || response.headers.get("X-Request-ID") || "",
    retryAfter: seconds(response.headers.get("Retry-After")),
  });
}

/** The `errors` of a problem object, in words. */
export function errorList(problem) {
  if (!Array.isArray(problem?.errors)) return [];
  return problem.errors
    .filter((error) => string(error?.message) !== "")
    .map(({ field, message }) => (string(field) === "" ? message : `${field}: ${message}`));
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    return null;
  }
}

function seconds(header) {
  if (header === null) return null;
  const value = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(value) ? Math.max(1, Math.ceil(value)) : null;
}

function string(value) {
  return typeof value === "string" ? value : "";
}
