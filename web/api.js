// What the page asks of the API: submit a problem, read a request, stop it, and what there is to do with conversations.
// Each call is made for the user who is signed in; where the server wants one and there is none, the user is asked.

import { account } from "./account.js";
import { APIError, pause, send } from "./http.js";

/** The longest problem the server takes, in Unicode scalars after trimming. */
export const problemLengthMax = 8000;

const retryDelayMax = 15;

/**
 * Submits a problem and returns the accepted request.
 *
 * Tries again with the same key after a lost connection, a gateway error, 429 and 503, so that the server makes one job
 * however often it is asked; a used-up budget is not waited for, as it lasts for the rest of the day.
 * `onWait(seconds, error)` tells of each pause; `signal` ends the pauses, but never cuts a submission in flight, because
 * its fate would be unknown.
 */
export async function submit({ problem, conversationId, provider, key }, { onWait, onSend, signal }) {
  const json = { problem, conversationId, provider };
  for (let attempt = 0; ; attempt += 1) {
    try {
      onSend();
      return await call("POST", "/api/math/solve", { json, headers: { "Idempotency-Key": key } });
    } catch (error) {
      if (!(error instanceof APIError) || ![0, 429, 502, 503, 504].includes(error.status)) throw error;
      if (error.type === "/problems/budget-exhausted") throw error;
      signal.throwIfAborted();
      const seconds = error.retryAfter ?? Math.min(2 ** attempt, retryDelayMax);
      onWait(seconds, error);
      await pause(seconds * 1000, signal);
    }
  }
}

/** Reads a request as the server knows it; with `asks` false, a 401 is not answered by the form. */
export function readRequest(id, { asks = true } = {}) {
  return call("GET", `/api/math/requests/${encodeURIComponent(id)}`, { asks });
}

/** The address of a request's stream with a fresh ticket, which an `EventSource` needs as it cannot send a token. */
export async function streamAddress(id) {
  return (await call("POST", "/api/auth/ticket", { json: { correlationId: id } })).streamUrl;
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
  return call("PATCH", `/api/conversations/${encodeURIComponent(id)}`, { json: { title } });
}

/** Deletes a conversation with its answers, and cancels what runs in it. */
export function deleteConversation(id) {
  return call("DELETE", `/api/conversations/${encodeURIComponent(id)}`);
}

function query(cursor) {
  return cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
}

/** Makes one call for the user; a 401 opens the form, and once somebody has signed in the call is made again. */
async function call(method, path, { asks = true, ...options } = {}) {
  for (;;) {
    try {
      return await account.authorize((token) => send(method, path, { ...options, token }));
    } catch (error) {
      if (!(error instanceof APIError) || error.status !== 401 || !asks) throw error;
      if (!(await account.ask())) throw error;
    }
  }
}
