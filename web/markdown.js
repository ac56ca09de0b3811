// Turns Markdown into nodes. Marked splits the text into tokens; its HTML renderer is not used. Every node is made
// here, from a fixed set of elements, and the answer's characters only ever become text nodes, formulas and checked
// link addresses.

import { Lexer, Tokenizer } from "./marked.js";
import { formulaNode, restoreFormulas, splitAtFormulas } from "./math.js";

const depthMax = 24;
/** Characters that may open or close something, in one paragraph, list entry or table cell. */
const marksMax = 500;
const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: "\u00A0" };

/** HTML and link reference definitions are no part of an answer: what looks like them is text. */
class AnswerTokenizer extends Tokenizer {
  html() {}
  tag() {}
  def() {}
}

/**
 * Leaves a paragraph with very many marks as it is, apart from its formulas: for each mark Marked looks through all of
 * the rest, so that a hostile text of a few kilobytes could hold up the page for seconds.
 */
class AnswerLexer extends Lexer {
  inlineTokens(src, tokens = []) {
    const marks = src.match(/[*_~`[\]<!]/g)?.length ?? 0;
    if (marks <= marksMax) return super.inlineTokens(src, tokens);
    tokens.push({ type: "text", raw: src, text: src });
    return tokens;
  }
}

/** The top-level tokens of a Markdown text. Throws on text nested too deeply to be split. */
export function tokens(text) {
  return new AnswerLexer({ tokenizer: new AnswerTokenizer(), gfm: true, mangle: false, smartypants: false }).lex(text);
}

/** A node for one top-level token. */
export function blockNode(token, formulas) {
  return new Builder(formulas).block(token, 0);
}

/** A list item's node. */
export function itemNode(item, formulas) {
  return new Builder(formulas).item(item, 0);
}

/** A paragraph with the text as it stands. */
export function plainNode(text) {
  const node = element("p");
  node.textContent = text;
  return node;
}

class Builder {
  constructor(formulas) {
    this.formulas = formulas;
  }

  block(token, depth) {
    if (depth > depthMax) return plainNode(this.restored(token.raw));
    switch (token.type) {
      case "heading": return this.heading(token, depth);
      case "paragraph": return this.inline(element("p"), token.tokens, depth);
      case "text": return this.inline(element("span"), token.tokens ?? [token], depth);
      case "code": return this.code(token);
      case "list": return this.list(token, depth);
      case "blockquote": return this.blocks(element("blockquote"), token.tokens, depth);
      case "table": return this.table(token, depth);
      case "hr": return element("hr");
      default: return plainNode(this.restored(token.raw));
    }
  }

  blocks(parent, children, depth) {
    for (const child of children) {
      if (child.type !== "space") parent.append(this.block(child, depth + 1));
    }
    return parent;
  }

  /** Two levels down, since the page's name and the question are the headings above it. */
  heading(token, depth) {
    return this.inline(element(`h${Math.min(token.depth + 2, 6)}`), token.tokens, depth);
  }

  code(token) {
    const node = element("pre");
    node.tabIndex = 0;
    const code = element("code");
    code.textContent = this.restored(token.text);
    node.append(code);
    return node;
  }

  list(token, depth) {
    const node = element(token.ordered ? "ol" : "ul");
    if (token.ordered && Number.isSafeInteger(token.start) && token.start !== 1) node.start = token.start;
    for (const item of token.items) node.append(this.item(item, depth));
    return node;
  }

  item(item, depth) {
    const node = element("li");
    if (item.task) node.append(item.checked ? "☑ " : "☐ ");
    for (const child of item.tokens) {
      if (child.type === "space") continue;
      const loose = item.loose && child.type === "text";
      node.append(this.block(loose ? { ...child, type: "paragraph" } : child, depth + 1));
    }
    return node;
  }

  table(token, depth) {
    const scroll = element("div");
    scroll.className = "table";
    scroll.tabIndex = 0;
    const node = element("table");
    const head = element("thead");
    const body = element("tbody");
    head.append(this.row(token.header, "th", token.align, depth));
    for (const cells of token.rows) body.append(this.row(cells, "td", token.align, depth));
    node.append(head, body);
    scroll.append(node);
    return scroll;
  }

  row(cells, tag, align, depth) {
    const node = element("tr");
    cells.forEach((cell, column) => {
      const child = this.inline(element(tag), cell.tokens, depth);
      if (["left", "center", "right"].includes(align[column])) child.className = align[column];
      node.append(child);
    });
    return node;
  }

  inline(parent, children, depth) {
    for (const child of children ?? []) this.span(parent, child, depth + 1);
    return parent;
  }

  span(parent, token, depth) {
    if (depth > depthMax) return this.text(parent, token.raw);
    switch (token.type) {
      case "strong": return parent.append(this.inline(element("strong"), token.tokens, depth));
      case "em": return parent.append(this.inline(element("em"), token.tokens, depth));
      case "del": return parent.append(this.inline(element("del"), token.tokens, depth));
      case "br": return parent.append(element("br"));
      case "codespan": return parent.append(this.codeSpan(token));
      case "escape": return this.text(parent, token.raw.slice(1));
      case "link": return this.link(parent, token, depth);
      case "image": return this.image(parent, token);
      default: return this.text(parent, decoded(token.raw));
    }
  }

  codeSpan(token) {
    const node = element("code");
    const inner = token.raw.replace(/^`+|`+$/g, "").replace(/\n/g, " ");
    node.textContent = this.restored(/^ .*\S.* $/.test(inner) ? inner.slice(1, -1) : inner);
    return node;
  }

  link(parent, token, depth) {
    // What is not written in brackets is an address that stands for itself.
    if (!token.raw.startsWith("[")) {
      const shown = this.restored(token.raw.replace(/^<|>$/g, ""));
      const node = anchor(shown.startsWith("www.") ? `https://${shown}` : shown);
      if (node === null) return this.text(parent, token.raw);
      node.textContent = shown;
      return parent.append(node);
    }
    const node = anchor(this.restored(decoded(token.href)));
    if (node === null) return this.inline(parent, token.tokens, depth);
    return parent.append(this.inline(node, token.tokens, depth));
  }

  /** Nothing is loaded from an address in an answer: a picture shows as a link to it. */
  image(parent, token) {
    const node = anchor(this.restored(decoded(token.href)));
    const title = this.restored(decoded(token.text)) || "image";
    if (node === null) return this.text(parent, title);
    node.textContent = title;
    return parent.append(node);
  }

  text(parent, raw) {
    splitAtFormulas(
      raw,
      this.formulas,
      (text) => parent.append(text),
      (formula) => parent.append(formulaNode(formula)),
    );
  }

  restored(text) {
    return restoreFormulas(text, this.formulas);
  }
}

/** A link to an http or https address; null for any other. */
function anchor(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  const node = element("a");
  node.href = url.href;
  node.rel = "noopener noreferrer nofollow";
  node.target = "_blank";
  return node;
}

function decoded(text) {
  return text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name) => entities[name]);
}

function element(tag) {
  return document.createElement(tag);
}
