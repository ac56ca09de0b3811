// The dialog about accounts: sign in, create an account, sign out. Knows the form's nodes and words; the account itself
// does the rest.

import { account } from "./account.js";
import { APIError } from "./http.js";
import { accountWords } from "./words.js";

const titles = { "sign-in": "Sign in", "sign-up": "Create an account", "signed-in": "Your account" };

/** The longest time in seconds for which the form is not sent again. */
const waitMax = 3600;

export class AccountDialog {
  constructor() {
    this.dialog = document.getElementById("account");
    this.title = document.getElementById("account-title");
    this.notice = document.getElementById("account-notice");
    this.views = Object.keys(titles).map((id) => document.getElementById(id));
    this.opening = null;
    for (const form of this.dialog.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.submit(form);
      });
      form.addEventListener("input", ({ target }) => showError(target, ""));
    }
    for (const link of this.dialog.querySelectorAll("[data-show]")) {
      link.addEventListener("click", () => this.exchangeForms(link.dataset.show));
    }
    document.getElementById("account-close").addEventListener("click", () => this.dialog.close());
    document.getElementById("sign-out").addEventListener("click", (event) => this.signOut(event.target));
    this.dialog.addEventListener("close", () => this.closed());
  }

  /** Opens the dialog, with `reason` above its form; resolves with whether somebody is signed in once it is closed. */
  open(reason = "") {
    if (this.opening === null) {
      this.opening = {};
      this.opening.promise = new Promise((resolve) => Object.assign(this.opening, { resolve }));
      this.show(account.isSignedIn ? "signed-in" : "sign-in", account.email ?? "");
      this.dialog.showModal();
      this.focus();
    }
    if (reason !== "") this.tell(reason);
    return this.opening.promise;
  }

  /** Follows an account that was signed out elsewhere while the dialog shows it. */
  follow() {
    if (this.dialog.open && this.view.id === "signed-in" && !account.isSignedIn) this.exchangeForms("sign-in");
  }

  closed() {
    for (const input of this.dialog.querySelectorAll("input[type=password]")) input.value = "";
    this.tell("");
    this.opening?.resolve(account.isSignedIn);
    this.opening = null;
  }

  show(view, email) {
    for (const node of this.views) node.hidden = node.id !== view;
    this.title.textContent = titles[view];
    this.view = document.getElementById(view);
    document.getElementById("account-email").textContent = account.email ?? "";
    if (!(this.view instanceof HTMLFormElement)) return;
    this.view.elements.email.value = email;
    this.clearErrors();
  }

  exchangeForms(view) {
    this.show(view, this.view.elements?.email.value ?? account.email ?? "");
    this.focus();
  }

  /** Puts the cursor into the first field that wants something. */
  focus() {
    const fields = [...this.view.querySelectorAll("input")];
    const wanted = fields.find((input) => input.getAttribute("aria-invalid") === "true")
      ?? fields.find((input) => input.value === "") ?? fields.at(-1) ?? this.view.querySelector("button");
    wanted.focus();
  }

  async submit(form) {
    const button = form.querySelector("[type=submit]");
    if (button.disabled) return;
    this.clearErrors();
    const email = form.elements.email.value.trim();
    const password = form.elements.password.value;
    if (email === "") showError(form.elements.email, "Enter your e-mail address.");
    if (password === "") showError(form.elements.password, "Enter a password.");
    if (email === "" || password === "") return this.focus();
    const isNew = form.id === "sign-up";
    button.disabled = true;
    form.setAttribute("aria-busy", "true");
    let wait = 0;
    try {
      await (isNew ? account.register({ email, password }) : account.signIn({ email, password }));
      this.dialog.close();
    } catch (error) {
      wait = this.showFailure(form, error, isNew);
    } finally {
      form.setAttribute("aria-busy", "false");
      if (wait === 0) button.disabled = false;
      else setTimeout(() => this.restart(form, button), wait * 1000);
    }
  }

  /** Shows why it did not work; returns for how many seconds another attempt would be of no use. */
  showFailure(form, error, isNew) {
    if (!(error instanceof APIError)) console.error(error);
    const { text = "", fields = {} } = accountWords(error, isNew);
    const unplaced = [text];
    for (const [name, words] of Object.entries(fields)) {
      const input = form.elements[name];
      if (input instanceof HTMLInputElement) showError(input, words);
      else unplaced.push(words);
    }
    form.querySelector(".whole").textContent = unplaced.filter((words) => words !== "").join(" ");
    this.focus();
    if (error.status === 401) form.elements.password.select();
    return error.status === 429 ? Math.min(error.retryAfter ?? 0, waitMax) : 0;
  }

  restart(form, button) {
    button.disabled = false;
    form.querySelector(".whole").textContent = "";
  }

  async signOut(button) {
    button.disabled = true;
    const isTold = await account.signOut();
    button.disabled = false;
    if (isTold) return this.dialog.close();
    this.tell("You are signed out here, but the server could not be told. It ends the session by itself later.");
  }

  tell(words) {
    this.notice.textContent = words;
    this.notice.hidden = words === "";
  }

  clearErrors() {
    for (const input of this.view.querySelectorAll("input")) showError(input, "");
    this.view.querySelector(".whole").textContent = "";
  }
}

/** Shows what is wrong with a field below it, and marks it; no words clear it. */
function showError(input, words) {
  document.getElementById(`${input.id}-error`).textContent = words;
  if (words === "") input.removeAttribute("aria-invalid");
  else input.setAttribute("aria-invalid", "true");
}
