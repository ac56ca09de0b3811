// Shows an answer while it grows, at a cost that does not depend on how much came before.
//
// Markdown's blocks are decided by whole lines. So once the block behind a block has one whole line, the first can
// never change again: it stays as it is, and its text is forgotten. Only the rest, the open tail, is split into tokens
// again, at most once a frame and, where that takes long, with pauses four times as long. Nodes whose text did not
// change are kept.

import { blockNode, itemNode, plainNode, tokens } from "./markdown.js";
import { extractFormulas, restoreFormulas, withoutPlaceholders } from "./math.js";

const backgroundInterval = 500;
const restFactor = 4;
const cheapRender = 4;

export class AnswerView {
  /** Shows into `container`, whose children it owns; `onRender` is called after each change of what is shown. */
  constructor(container, onRender = () => {}) {
    this.container = container;
    this.onRender = onRender;
    this.clear();
  }

  append(text) {
    this.tail += withoutPlaceholders(text);
    this.schedule();
  }

  /** Drops everything shown. */
  clear() {
    this.unschedule();
    this.container.replaceChildren();
    this.tail = "";
    this.blocks = [];
    this.growing = true;
    this.restUntil = 0;
  }

  /** Shows the last of it at once; nothing may be appended afterwards. */
  finish() {
    this.growing = false;
    this.unschedule();
    this.render();
  }

  schedule() {
    if (this.cancelScheduled !== null) return;
    const rest = document.hidden ? backgroundInterval : this.restUntil - performance.now();
    if (rest > 0) {
      const timer = setTimeout(() => this.scheduled(), rest);
      this.cancelScheduled = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(() => this.scheduled());
      this.cancelScheduled = () => cancelAnimationFrame(frame);
    }
  }

  scheduled() {
    this.cancelScheduled = null;
    this.render();
  }

  unschedule() {
    this.cancelScheduled?.();
    this.cancelScheduled = null;
  }

  render() {
    const began = performance.now();
    this.tail = normalised(this.tail, this.growing);
    const visible = this.growing && /[\\\r]$/.test(this.tail) ? this.tail.slice(0, -1) : this.tail;
    const { text, formulas } = extractFormulas(visible, this.growing);
    let split;
    try {
      // Marked sees an unfinished code block only when its last line is whole.
      split = tokens(`${text}\n`);
    } catch {
      split = [{ type: "plain", raw: text }];
    }
    const wanted = split
      .filter((token) => token.type !== "space")
      .map((token) => ({ token, source: restoreFormulas(token.raw, formulas), formulas }));
    wanted.forEach((block, index) => this.place(block, index));
    for (const surplus of this.blocks.splice(wanted.length)) surplus.node.remove();
    this.settle(split, formulas, text.length);
    const took = performance.now() - began;
    this.restUntil = took > cheapRender ? performance.now() + took * restFactor : 0;
    this.onRender();
  }

  /** Makes the open block at `index` show what is wanted there, with as few new nodes as possible. */
  place(block, index) {
    const shown = this.blocks[index];
    const open = block.formulas.some((formula) => !formula.ended);
    if (shown !== undefined && shown.source === block.source && shown.type === block.token.type && !shown.open) return;
    const next = { source: block.source, type: block.token.type, open, token: block.token, formulas: block.formulas };
    if (shown !== undefined && extendsList(shown, block)) {
      next.node = shown.node;
      patchItems(shown, next);
    } else {
      next.node = block.token.type === "plain" ? plainNode(block.source) : blockNode(block.token, block.formulas);
      if (shown === undefined) this.container.append(next.node);
      else shown.node.replaceWith(next.node);
    }
    this.blocks[index] = next;
  }

  /** Leaves alone for good every block that can no longer change; `end` is where the text to split ended. */
  settle(split, formulas, end) {
    let length = 0;
    let settledLength = 0;
    let settledCount = 0;
    let count = 0;
    split.forEach((token, index) => {
      if (token.type === "space") {
        length += token.raw.length;
        return;
      }
      const lineEnd = token.raw.indexOf("\n");
      const wholeLine = (lineEnd >= 0 && length + lineEnd < end) || index + 1 < split.length;
      if (count > 0 && wholeLine) {
        settledLength = length;
        settledCount = count;
      }
      length += token.raw.length;
      count += 1;
    });
    const text = split.map((token) => token.raw).join("");
    const settled = restoreFormulas(text.slice(0, settledLength), formulas);
    // Marked adds a character to some merged tokens; such a tail stays open as a whole.
    if (settledCount === 0 || !this.tail.startsWith(settled)) return;
    this.tail = this.tail.slice(settled.length);
    this.blocks.splice(0, settledCount);
  }
}

/** Line ends and leading tabs as the splitter would make them, so that lengths stay comparable. */
function normalised(text, growing) {
  return text
    .replace(growing ? /\r\n|\r(?!$)/g : /\r\n?/g, "\n")
    .replace(/^( *)(\t+)/gm, (_, spaces, tabs) => spaces + "    ".repeat(tabs.length));
}

function extendsList(shown, { token }) {
  return token.type === "list" && shown.type === "list" && token.ordered === shown.token.ordered
    && token.loose === shown.token.loose && token.start === shown.token.start;
}

function patchItems(shown, next) {
  next.token.items.forEach((item, index) => {
    const old = shown.token.items[index];
    const child = shown.node.children[index];
    if (old === undefined) {
      shown.node.append(itemNode(item, next.formulas));
    } else if (itemSource(old, shown.formulas) !== itemSource(item, next.formulas) || (shown.open && !next.open)
      || index + 1 === shown.token.items.length) {
      child.replaceWith(itemNode(item, next.formulas));
    }
  });
  while (shown.node.children.length > next.token.items.length) shown.node.lastElementChild.remove();
}

function itemSource(item, formulas) {
  return restoreFormulas(item.raw, formulas);
}
