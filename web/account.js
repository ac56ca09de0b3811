// Who is signed in on this tab. The access token is kept in memory only; the refresh token in the tab's own storage, so
// that a reload keeps the user and closing the tab does not. Nothing is kept in `localStorage`.
//
//   signed out --sign in--> signed in --access token nearly over, or refused--> renewing --new tokens--> signed in
//     ^   ^                    |                                                   |
//     |   +------sign out------+                                                   +--refresh token refused--> ended
//     +--the form is closed without signing in------------------------------------------------------------------+
//
// While the session is `ended` nothing is sent: the user's next problem must not become somebody else's, or nobody's.
//
// The server takes a refresh token once (contract, section 7), so all requests that need a new access token wait for the
// same renewal. A duplicated tab begins with a copy of the refresh token: tabs with the same session take turns, and tell
// each other the newest one.

import { APIError, makeKey, pause, send } from "./http.js";
import { endedWords } from "./words.js";

const name = "lemma.account";
/** The part of an access token's life after which it is renewed. */
const renewalPoint = 0.8;
const timerMax = 2 ** 31 - 1;
/** How long another tab's newest refresh token may take to get here, in milliseconds. */
const messageTime = 100;
/** What the server answers to a refresh token that will never work again. */
const refusals = [400, 401, 403, 404, 422];

class Account {
  /** `{ id, email, refreshToken, since }`; null when signed out, `refreshToken` null when it has ended. */
  session = load();
  /** `{ token, renewAt, endsAt }`, in milliseconds of the clock; null when there is none yet. */
  access = null;
  renewal = null;
  question = null;
  on = { changed() {}, needed: async () => false };
  channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(name) : null;

  constructor() {
    this.channel?.addEventListener("message", ({ data }) => this.takeOver(data));
  }

  /** The address of the user who is or was signed in; undefined for none. */
  get email() {
    return this.session?.email;
  }

  get isSignedIn() {
    return this.session !== null && this.session.refreshToken !== null;
  }

  get hasEnded() {
    return this.session !== null && this.session.refreshToken === null;
  }

  /** Makes an account and signs in; rejects with an APIError. */
  async register({ email, password }) {
    await send("POST", "/api/auth/register", { json: { email, password } });
    await this.signIn({ email, password });
  }

  /** Signs in; rejects with an APIError. */
  async signIn({ email, password }) {
    const tokens = await send("POST", "/api/auth/login", { json: { email, password } });
    // The same user with another case of letters stays the same user.
    const isSame = email.toLowerCase() === this.email?.toLowerCase();
    this.session = { id: makeKey(), email: isSame ? this.email : email };
    this.accept(tokens);
    this.on.changed();
  }

  /** Forgets everything here at once, then tells the server; false where that could not be told. */
  async signOut() {
    await this.renewal?.catch(() => {});
    const { session } = this;
    this.forget();
    this.channel?.postMessage({ id: session?.id, session: null });
    if (!session?.refreshToken) return true;
    try {
      await send("POST", "/api/auth/logout", { json: { refreshToken: session.refreshToken } });
      return true;
    } catch (error) {
      return error.status === 401;
    }
  }

  /** Gives an ended session up. */
  forget() {
    this.session = null;
    this.access = null;
    clearTimeout(this.timer);
    store(null);
    this.on.changed();
  }

  /**
   * Runs `request(token)`, with null for a token while nobody is signed in; once more with a new one where the server
   * answers 401. Rejects with a 401 without running it once the session has ended.
   */
  async authorize(request) {
    const token = await this.token();
    const id = this.session?.id;
    try {
      return await request(token);
    } catch (error) {
      if (token === null || !(error instanceof APIError) || error.status !== 401) throw error;
      // What one user began is not sent for another one.
      if (this.session?.id !== id) throw error;
      if (this.access?.token === token) this.access = null;
      return request(await this.token());
    }
  }

  /** Asks the user to sign in, once for all who ask; true once somebody has. */
  ask() {
    this.question ??= this.on.needed().finally(() => {
      this.question = null;
    });
    return this.question;
  }

  /** A token for a request now; renews it when most of its life is over. */
  async token() {
    if (this.session === null) return null;
    if (this.hasEnded) throw sessionEnded();
    if (this.access !== null && Date.now() < this.access.renewAt) return this.access.token;
    try {
      await this.renew();
    } catch (error) {
      // The old one is good for a while yet.
      if (error.status === 401 || this.access === null || Date.now() >= this.access.endsAt) throw error;
    }
    return this.access?.token ?? null;
  }

  /** Gets new tokens; one renewal at a time. */
  renew() {
    this.renewal ??= this.inTurn(() => this.refresh()).finally(() => {
      this.renewal = null;
    });
    return this.renewal;
  }

  /** Runs `action` while no other tab with this session does; browsers offer the lock on secure pages only. */
  async inTurn(action) {
    if (navigator.locks === undefined) return action();
    const asked = performance.now();
    return navigator.locks.request(`${name}.${this.session.id}`, async () => {
      if (performance.now() - asked > messageTime / 10) await pause(messageTime);
      return action();
    });
  }

  async refresh() {
    if (!this.isSignedIn) return;
    const { id, refreshToken } = this.session;
    try {
      const tokens = await sendTwice("POST", "/api/auth/refresh", { json: { refreshToken } });
      // Another tab may have signed out meanwhile.
      if (this.session?.id === id) this.accept(tokens);
    } catch (error) {
      if (!refusals.includes(error.status)) throw error;
      if (this.session?.id === id) this.end();
      throw sessionEnded();
    }
  }

  accept({ accessToken, expiresIn, refreshToken }) {
    const now = Date.now();
    const life = expiresIn * 1000;
    this.access = { token: accessToken, renewAt: now + life * renewalPoint, endsAt: now + life };
    this.session = { ...this.session, refreshToken, since: now };
    store(this.session);
    this.channel?.postMessage({ id: this.session.id, session: this.session });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renewInSight(), Math.min(life * renewalPoint, timerMax));
  }

  /** Nobody waits for the tokens of a hidden page; it renews with its next request. */
  renewInSight() {
    if (this.isSignedIn && !document.hidden) this.renew().catch(() => {});
  }

  end() {
    this.session = { ...this.session, refreshToken: null };
    this.access = null;
    clearTimeout(this.timer);
    store(this.session);
    this.on.changed();
  }

  /** What another tab tells of its session. */
  takeOver({ id, session }) {
    if (!this.isSignedIn || this.session.id !== id) return;
    if (session === null) {
      this.forget();
    } else if (session.since > this.session.since) {
      this.session = session;
      store(session);
    }
  }
}

function sessionEnded() {
  return new APIError({ status: 401, title: endedWords });
}

/** An answer that got lost is asked for once more at once: within ten seconds the server gives it again. */
async function sendTwice(...request) {
  try {
    return await send(...request);
  } catch (error) {
    if (error.status !== 0) throw error;
    return send(...request);
  }
}

function load() {
  try {
    const session = JSON.parse(sessionStorage.getItem(name));
    return typeof session?.id === "string" && typeof session.email === "string" ? session : null;
  } catch {
    return null;
  }
}

/** Where the browser keeps no storage, the user is signed in until the next reload. */
function store(session) {
  try {
    if (session === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(session));
  } catch {
    // Kept in memory alone.
  }
}

export const account = new Account();
