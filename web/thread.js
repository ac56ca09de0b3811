// The exchanges of one conversation on the page: those of this tab, joined with those the server keeps.

import { readMessages } from "./api.js";
import { Exchange } from "./exchange.js";
import { APIError } from "./http.js";

export class Thread {
  /**
   * Shows into `container`, with `earlier` as the button for older messages. `on`: `changed()` when exchanges came or
   * went, `save(entries)`, `render()`, `accepted(entry)` and `ended(entry)`; `provider` is asked by name, or undefined.
   */
  constructor(container, earlier, provider, on) {
    this.container = container;
    this.earlier = earlier;
    this.on = on;
    this.exchanges = [];
    this.cursor = null;
    this.conversationId = undefined;
    this.context = {
      provider,
      conversationId: () => this.conversationId,
      save: () => on.save(this.exchanges.map(({ entry }) => entry)),
      onRender: on.render,
      accepted: (entry) => {
        this.conversationId = entry.conversationId;
        on.accepted(entry);
      },
      ended: (entry) => on.ended(entry),
    };
    earlier.addEventListener("click", () => this.loadEarlier());
  }

  get runningCount() {
    return this.exchanges.filter((exchange) => exchange.running).length;
  }

  /** Lets go of what is shown and shows a conversation, or an empty page for none; `entries` are known already. */
  async open(conversationId, entries = []) {
    for (const exchange of this.exchanges) exchange.close();
    this.exchanges = [];
    this.container.replaceChildren();
    this.conversationId = conversationId;
    this.showEarlier(null);
    for (const entry of entries) this.insert(entry, null);
    this.context.save();
    this.on.changed();
    if (conversationId !== undefined) await this.load();
  }

  /** Asks something new at the end of the conversation. */
  ask(problem) {
    this.insert({ problem, conversationId: this.conversationId }, null);
    this.on.changed();
  }

  async loadEarlier() {
    this.earlier.disabled = true;
    try {
      await this.load();
    } finally {
      this.earlier.disabled = false;
    }
  }

  /** Reads the next older page of messages; throws an APIError. */
  async load() {
    const { conversationId, cursor } = this;
    const page = await readMessages(conversationId, cursor);
    // Another conversation was opened meanwhile.
    if (this.conversationId !== conversationId || this.cursor !== cursor) return;
    this.merge(entriesOf(page.items, conversationId));
    this.showEarlier(page.nextCursor);
    this.context.save();
    this.on.changed();
  }

  /** Puts what is not shown yet before what is newer. */
  merge(entries) {
    const kept = new Set(entries.map(({ id }) => id));
    const shown = (id) => this.exchanges.find((exchange) => exchange.entry.id === id);
    // What the server does not know yet is newer than all it knows.
    const firstKnown = this.cursor === null ? this.exchanges.findLastIndex(({ entry }) => kept.has(entry.id)) + 1 : 0;
    let before = this.exchanges[firstKnown] ?? null;
    for (const entry of entries.toReversed()) {
      const known = shown(entry.id);
      if (known !== undefined) Object.assign(known.entry, known.running ? {} : { conversationId: entry.conversationId });
      before = known ?? this.insert(entry, before);
    }
  }

  insert(entry, before) {
    const exchange = new Exchange(entry, this.context);
    const position = before === null ? this.exchanges.length : this.exchanges.indexOf(before);
    this.exchanges.splice(position, 0, exchange);
    this.container.insertBefore(exchange.view.node, before?.view.node ?? null);
    exchange.start();
    return exchange;
  }

  showEarlier(cursor) {
    this.cursor = cursor;
    this.earlier.hidden = cursor === null;
  }
}

/** Questions with their answers, oldest first. A page may begin with an answer alone; its question is on the next one. */
function entriesOf(messages, conversationId) {
  const entries = new Map();
  for (const { role, content, correlationId: id, status } of messages) {
    const entry = entries.get(id) ?? { problem: "…", id, conversationId };
    if (role === "user") entry.problem = content;
    else Object.assign(entry, { text: content, end: { kind: status, data: {} } });
    entries.set(id, entry);
  }
  return [...entries.values()];
}

/** Whether the server says that there is no such conversation. */
export function isGone(error) {
  return error instanceof APIError && error.status === 404;
}
