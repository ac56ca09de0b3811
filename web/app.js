// The page: composer, examples, the open conversation, the list of all, who is signed in, and what outlives a reload.

import { account } from "./account.js";
import { problemLengthMax } from "./api.js";
import { load, save } from "./session.js";
import { Shelf } from "./shelf.js";
import { AccountDialog } from "./sign-in.js";
import { Thread, isGone } from "./thread.js";
import { endedWords, signInWords } from "./words.js";

const form = document.getElementById("composer");
const field = document.getElementById("problem");
const hint = document.getElementById("hint");
const welcome = document.getElementById("welcome");
const clear = document.getElementById("clear");
const toggle = document.getElementById("toggle");
const drawer = document.getElementById("shelf");
const who = document.getElementById("who");

/** Each running answer holds a connection, of which a browser opens six to one server. */
const runningMax = 4;

/** A distance from the end of the page, in CSS pixels, that still counts as being at the end. */
const endSlack = 80;

let atEnd = true;

// `/?provider=mock` asks for one of the server's providers by name.
const provider = new URLSearchParams(location.search).get("provider") ?? undefined;

const thread = new Thread(document.getElementById("history"), document.getElementById("earlier"), provider, {
  changed: showWhatThereIs,
  save,
  render: followEnd,
  accepted: ({ conversationId, problem }) => {
    remember(conversationId);
    shelf.touch(conversationId, problem.split("\n")[0].slice(0, 80));
  },
  ended: () => {
    if (!drawer.hidden) shelf.refresh();
  },
});

const shelf = new Shelf(
  {
    list: document.getElementById("shelf-list"),
    more: document.getElementById("shelf-more"),
    notice: document.getElementById("shelf-notice"),
  },
  {
    open: (id) => {
      showDrawer(false);
      open(id);
    },
    deleted: (id) => {
      if (id === thread.conversationId) startOver();
    },
  },
);

const dialog = new AccountDialog();

/** Whose conversations the page shows, an e-mail address; undefined for nobody's. */
let owner = account.email;

account.on = {
  changed: showOwner,
  async needed() {
    const before = owner;
    const isSignedIn = await dialog.open(account.hasEnded ? endedWords : signInWords);
    if (account.hasEnded) account.forget();
    // What one user began is not sent for another one.
    return isSignedIn && (before === undefined || before === owner);
  },
};

/** Follows the account: what was shown for one user is not shown to the next. */
function showOwner() {
  document.getElementById("who-words").textContent = account.isSignedIn ? "Account" : "Sign in";
  dialog.follow();
  if (owner === account.email) return;
  // Somebody who was asked to sign in goes on with what they were about to do.
  const goesOn = owner === undefined && account.question !== null;
  owner = account.email;
  if (goesOn) return;
  shelf.forget();
  showDrawer(false);
  startOver();
}

/** Opens a conversation; `entries` are what this tab knows of it. */
async function open(id, entries = []) {
  hint.textContent = "";
  atEnd = true;
  remember(id);
  try {
    await thread.open(id, entries);
  } catch (error) {
    // Another one was opened meanwhile.
    if (thread.conversationId !== id) return;
    if (!isGone(error)) {
      hint.textContent = `The conversation cannot be shown in full: ${error.message}`;
    } else if (entries.length === 0) {
      startOver();
      hint.textContent = "This conversation does not exist any more.";
    }
  }
}

/** Keeps the open conversation in the page's address, so that a reload and a bookmark find it. */
function remember(id) {
  shelf.select(id);
  const address = id === undefined ? location.pathname + location.search : `#${id}`;
  if (id !== conversationInAddress()) history.replaceState(null, "", address);
}

function conversationInAddress() {
  return /^#([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i.exec(location.hash)?.[1].toLowerCase();
}

function showWhatThereIs() {
  const isEmpty = thread.exchanges.length === 0;
  welcome.hidden = !isEmpty;
  clear.hidden = isEmpty;
}

function showDrawer(isOpen) {
  drawer.hidden = !isOpen;
  toggle.setAttribute("aria-expanded", String(isOpen));
  if (isOpen) shelf.refresh();
}

function ask(problem) {
  const length = Array.from(problem).length;
  if (length === 0) {
    hint.textContent = "Type a problem first.";
  } else if (length > problemLengthMax) {
    const limit = problemLengthMax.toLocaleString("en");
    hint.textContent = `The problem is too long: ${length.toLocaleString("en")} characters of at most ${limit}.`;
  } else if (thread.runningCount >= runningMax) {
    hint.textContent = `${runningMax} problems are being solved. Wait for one of them, or stop one.`;
  } else {
    hint.textContent = "";
    atEnd = true;
    thread.ask(problem);
    return true;
  }
  field.focus();
  return false;
}

function submit() {
  if (ask(field.value.trim())) {
    field.value = "";
    fit();
  }
}

function startOver() {
  open(undefined);
  field.focus();
}

/** Keeps the end of the page in sight while it grows, unless the reader went up. */
function followEnd() {
  if (atEnd) window.scrollTo(0, document.documentElement.scrollHeight);
}

function noteScroll() {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  atEnd = scrollHeight - clientHeight - scrollTop < endSlack;
}

/** Makes the field as high as its text. */
function fit() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

field.addEventListener("keydown", (event) => {
  // An Enter that ends the input of a composed character is not ours.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
});

field.addEventListener("input", () => {
  hint.textContent = "";
  fit();
});

welcome.addEventListener("click", (event) => {
  if (event.target instanceof HTMLButtonElement) ask(event.target.textContent);
});

clear.addEventListener("click", startOver);
toggle.addEventListener("click", () => showDrawer(drawer.hidden));
who.addEventListener("click", () => dialog.open());
window.addEventListener("scroll", noteScroll, { passive: true });
window.addEventListener("hashchange", () => {
  if (conversationInAddress() !== thread.conversationId) open(conversationInAddress());
});

showOwner();
const entries = load();
const remembered = entries.findLast(({ conversationId }) => conversationId !== undefined)?.conversationId;
const wanted = conversationInAddress() ?? remembered;
open(wanted, wanted === remembered ? entries : []);
if (window.matchMedia("(pointer: fine)").matches) field.focus();
