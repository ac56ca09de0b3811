// The list of the user's conversations, with what can be done to each.

import { deleteConversation, listConversations, renameConversation } from "./api.js";

/** How long a first click on "Delete" waits for the second. */
const confirmTime = 4000;

export class Shelf {
  /** `on`: `open(id)` and `deleted(id)`. */
  constructor({ list, more, notice }, on) {
    Object.assign(this, { list, more, notice, on });
    this.items = new Map();
    this.current = undefined;
    this.cursor = null;
    more.addEventListener("click", () => this.load(this.cursor));
  }

  /** Forgets the list, and what is on its way of it. */
  forget() {
    this.reading = undefined;
    this.clear();
    this.cursor = null;
    this.more.hidden = true;
    this.say("");
  }

  clear() {
    this.items.clear();
    this.list.replaceChildren();
  }

  /** Reads the newest page again. */
  refresh() {
    this.load(null);
  }

  /** True while a title is being written or a deletion waits for its second click: the list stays as it is then. */
  get isInUse() {
    return this.list.querySelector("input, [data-armed=true]") !== null;
  }

  /** Marks the one that is open; undefined marks none. */
  select(id) {
    this.current = id;
    for (const [known, { node }] of this.items) {
      if (known === id) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
  }

  /** Puts a conversation first, because something has just happened in it. */
  touch(id, title) {
    this.place({ id, title: this.items.get(id)?.title ?? title }, this.list.firstElementChild);
  }

  async load(cursor) {
    const reading = (this.reading = Symbol("reading"));
    try {
      const page = await listConversations(cursor);
      if (this.reading !== reading) return;
      if (cursor === null) {
        if (this.isInUse) return;
        this.clear();
      }
      for (const conversation of page.items) this.place(conversation, null);
      this.cursor = page.nextCursor;
      this.more.hidden = this.cursor === null;
      this.say("");
    } catch (error) {
      if (this.reading !== reading) return;
      this.say(error.status === 401 ? "Sign in to see your conversations." : "Conversations cannot be reached now.");
    }
  }

  say(words) {
    this.notice.textContent = words;
    this.notice.hidden = words === "";
  }

  place({ id, title }, before) {
    const item = this.items.get(id) ?? { node: document.createElement("li") };
    item.title = title ?? "Untitled";
    this.items.set(id, item);
    this.show(id, item);
    if (item.node !== before) this.list.insertBefore(item.node, before);
    this.select(this.current);
  }

  show(id, { node, title }) {
    const open = button("title", title, () => this.on.open(id));
    open.dir = "auto";
    const rename = button("act", "Rename", () => this.edit(id));
    const remove = button("act", "Delete", () => this.askToDelete(id, remove));
    node.replaceChildren(open, rename, remove);
  }

  edit(id) {
    const item = this.items.get(id);
    const field = document.createElement("input");
    field.value = item.title;
    field.maxLength = 200;
    field.setAttribute("aria-label", "New title");
    let left = false;
    const leave = (title) => {
      if (left) return;
      left = true;
      if (title === undefined || title === "" || title === item.title) this.show(id, item);
      else this.rename(id, title);
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") leave(field.value.trim());
      if (event.key === "Escape") leave();
    });
    field.addEventListener("blur", () => leave(field.value.trim()));
    item.node.replaceChildren(field);
    field.select();
  }

  async rename(id, title) {
    const item = this.items.get(id);
    try {
      item.title = (await renameConversation(id, title)).title;
      this.say("");
    } catch (error) {
      this.say(`This could not be renamed: ${error.message}`);
    }
    this.show(id, item);
  }

  askToDelete(id, remove) {
    if (remove.dataset.armed === "true") return this.delete(id);
    remove.dataset.armed = "true";
    remove.textContent = "Really?";
    setTimeout(() => {
      remove.dataset.armed = "false";
      remove.textContent = "Delete";
    }, confirmTime);
  }

  async delete(id) {
    try {
      await deleteConversation(id);
    } catch (error) {
      // Deleted from elsewhere is deleted.
      if (error.status !== 404) return this.say(`This could not be deleted: ${error.message}`);
    }
    this.say("");
    this.items.get(id)?.node.remove();
    this.items.delete(id);
    this.on.deleted(id);
  }
}

function button(className, text, action) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = className;
  node.textContent = text;
  node.addEventListener("click", action);
  return node;
}
