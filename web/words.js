// What the page says: the states of a request, of its connection, and its end, in words.

export function queueWords(position) {
  if (!Number.isSafeInteger(position) || position < 1) return "Waiting in line…";
  return position === 1 ? "You are next in line." : `You are number ${position.toLocaleString("en")} in line.`;
}

const restartReasons = {
  worker_lost: "The worker solving this went away.",
  handed_over: "Another worker took over.",
  provider_failed: "The provider failed.",
  history_lost: "The server lost part of the answer.",
};

/** The state after `started`, or after `restarted`, which says why. */
export function workingWords({ attempt, provider, reason }) {
  const by = provider ? ` with ${provider}` : "";
  if (!(attempt > 1)) return `Solving${by}…`;
  return `${restartReasons[reason] ?? "The answer was interrupted."} Solving again${by}, attempt ${attempt}…`;
}

export function restartWords(reason) {
  return `${restartReasons[reason] ?? "The answer was interrupted."} Starting over…`;
}

export const connectionWords = {
  connecting: "Connecting…",
  reconnecting: "Connection lost. Reconnecting…",
  recovering: "Connection lost. Asking the server how far it is…",
};

const cancelReasons = {
  requested: "Stopped.",
  disconnected: "Stopped, because nobody was watching.",
  interrupted: "Stopped, because a newer problem took its place.",
  conversation_deleted: "Stopped, because its conversation was deleted.",
};

export function cancelWords(reason) {
  return cancelReasons[reason] ?? "Stopped.";
}

export function waitWords(error, seconds) {
  return `${sentence(error.detail || error.title)} Trying again in ${seconds} s.`;
}

/** The words of a refusal that nobody waits for, with the time after which it may be otherwise. */
export function refusalWords({ status, detail, retryAfter }) {
  if (status !== 429 || !Number.isFinite(retryAfter)) return detail || "";
  return `${sentence(detail || "Too many requests")} Try again ${inTime(retryAfter)}.`;
}

export const signInWords = "Sign in to go on.";
export const endedWords = "Your session has ended. Sign in again to go on.";

/**
 * Why signing in, or with `isNew` signing up, did not work: `text` for the whole form, or `fields` with a message for each
 * field at fault.
 */
export function accountWords(error, isNew) {
  const { status, fields = {}, retryAfter } = error;
  if (status === 422 && Object.keys(fields).length > 0) {
    return { fields: Object.fromEntries(Object.entries(fields).map(([name, words]) => [name, capitalised(sentence(words))])) };
  }
  if (status === 409) return { fields: { email: "There is an account with this e-mail address already." } };
  if (status === 401) return { text: "The e-mail address or the password is wrong." };
  if (status === 403 && isNew) return { text: "This server takes no new accounts. Ask the people who run it for one." };
  if (status === 404) return { text: "This server has no accounts with passwords." };
  if (status === 429) return { text: `Too many attempts. Try again ${inTime(retryAfter ?? 60)}.` };
  if (status === 503) return { text: `The server is busy. Try again ${inTime(retryAfter ?? 5)}.` };
  if (status === 0) return { text: "The server cannot be reached. Check your connection, then try again." };
  return { text: sentence(error.detail || error.title || "Something went wrong in this page") };
}

/** "in 12 s", "in 5 min", "in 3 h". */
function inTime(seconds) {
  if (seconds < 120) return `in ${seconds} s`;
  if (seconds < 7200) return `in ${Math.ceil(seconds / 60)} min`;
  return `in ${Math.ceil(seconds / 3600)} h`;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text) {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The small print below a finished answer. */
export function summaryWords(end) {
  const parts = [];
  if (end.finishReason === "length") parts.push("cut off at the length limit");
  if (end.finishReason === "content_filter") parts.push("cut off by the provider’s content filter");
  const model = end.model && end.model !== end.provider ? ` (${end.model})` : "";
  if (end.provider) parts.push(`${end.provider}${model}`);
  const tokens = end.usage?.outputTokens;
  if (Number.isSafeInteger(tokens)) {
    const about = end.usage.estimated ? "about " : "";
    parts.push(`${about}${tokens.toLocaleString("en")} ${tokens === 1 ? "token" : "tokens"}`);
  }
  if (Number.isFinite(end.queueMs) && end.queueMs >= 100) parts.push(`${duration(end.queueMs)} in line`);
  if (Number.isFinite(end.firstTokenMs) && end.firstTokenMs >= 1) {
    parts.push(`first token after ${duration(end.firstTokenMs)}`);
  }
  if (Number.isFinite(end.durationMs)) parts.push(`${duration(end.durationMs)} in all`);
  if (end.attempts > 1) parts.push(`${end.attempts} attempts`);
  return parts.join(" · ");
}

function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}\u00A0ms`;
  if (milliseconds < 60000) return `${(milliseconds / 1000).toFixed(1)}\u00A0s`;
  return `${Math.floor(milliseconds / 60000)}\u00A0min ${Math.round((milliseconds % 60000) / 1000)}\u00A0s`;
}
