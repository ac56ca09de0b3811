// The page: composer, examples, the list of exchanges, and what of it outlives a reload.

import { problemLengthMax } from "./api.js";
import { Exchange } from "./exchange.js";
import { load, save } from "./session.js";

const form = document.getElementById("composer");
const field = document.getElementById("problem");
const hint = document.getElementById("hint");
const history = document.getElementById("history");
const welcome = document.getElementById("welcome");
const clear = document.getElementById("clear");

/** Each running answer holds a connection, of which a browser opens six to one server. */
const runningMax = 4;

/** A distance from the end of the page, in CSS pixels, that still counts as being at the end. */
const endSlack = 80;

let exchanges = [];
let atEnd = true;

const context = {
  // `/?provider=mock` asks for one of the server's providers by name.
  provider: new URLSearchParams(location.search).get("provider") ?? undefined,
  conversationId: () => exchanges.findLast(({ entry }) => entry.conversationId !== undefined)?.entry.conversationId,
  save: () => save(exchanges.map(({ entry }) => entry)),
  onRender: followEnd,
};

function add(entry) {
  const exchange = new Exchange(entry, context);
  exchanges.push(exchange);
  history.append(exchange.view.node);
  welcome.hidden = true;
  clear.hidden = false;
  exchange.start();
}

function ask(problem) {
  const length = Array.from(problem).length;
  if (length === 0) {
    hint.textContent = "Type a problem first.";
  } else if (length > problemLengthMax) {
    const limit = problemLengthMax.toLocaleString("en");
    hint.textContent = `The problem is too long: ${length.toLocaleString("en")} characters of at most ${limit}.`;
  } else if (exchanges.filter((exchange) => exchange.running).length >= runningMax) {
    hint.textContent = `${runningMax} problems are being solved. Wait for one of them, or stop one.`;
  } else {
    hint.textContent = "";
    atEnd = true;
    add({ problem });
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
  for (const exchange of exchanges) exchange.close();
  exchanges = [];
  context.save();
  history.replaceChildren();
  welcome.hidden = false;
  clear.hidden = true;
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
window.addEventListener("scroll", noteScroll, { passive: true });

for (const entry of load()) add(entry);
if (window.matchMedia("(pointer: fine)").matches) field.focus();
