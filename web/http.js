// One exchange with the server over HTTP: a request with its answer, or the server's refusal.

/**
 * A refusal by the server, in its own words where it sent a problem object (RFC 9457).
 * `status` is 0 when no answer came at all; `retryAfter` is in seconds, or null; `fields` has a message for each field at
 * fault.
 */
export class APIError extends Error {
  constructor({ status = 0, type = "", title, detail = "", errors = [], fields = {}, requestId = "", retryAfter = null }) {
    super(detail || title);
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.fields = fields;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/**
 * Sends a request and resolves with the object in its answer, null for an answer without one; rejects with an APIError.
 * `json` is sent as the body, `token` as the access token; both may be missing.
 */
export async function send(method, path, { json, headers = {}, token = null } = {}) {
  const all = new Headers({ Accept: "application/json", ...headers });
  if (json !== undefined) all.set("Content-Type", "application/json");
  if (token !== null) all.set("Authorization", `Bearer ${token}`);
  const body = json === undefined ? undefined : JSON.stringify(json);
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
    type: string(problem.type),
    title: string(problem.title) || `The server answered ${response.status} ${response.statusText}`.trim(),
    detail: string(problem.detail),
    errors: errorList(problem),
    fields: Object.fromEntries(fieldErrors(problem).map(({ field, message }) => [string(field), message])),
    requestId: string(problem.requestId) || response.headers.get("X-Request-ID") || "",
    retryAfter: seconds(response.headers.get("Retry-After")),
  });
}

/** The `errors` of a problem object, in words. */
export function errorList(problem) {
  return fieldErrors(problem).map(({ field, message }) => (string(field) === "" ? message : `${field}: ${message}`));
}

function fieldErrors(problem) {
  return Array.isArray(problem?.errors) ? problem.errors.filter((error) => string(error?.message) !== "") : [];
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
