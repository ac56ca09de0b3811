// Finds the formulas in Markdown text and typesets them.
//
// A formula is full of characters that mean something else to Markdown (`_`, `*`, `|`, `\\`). So each one is replaced
// by a placeholder before the text is split into tokens, and put back when a token becomes a node. The placeholder is
// an index between two private-use characters, which are taken out of the text beforehand.

const open = "\uE000";
const close = "\uE001";
const placeholder = /\uE000(\d+)\uE001/g;
const cacheMax = 500;

/** Replaces characters that would be taken for a placeholder. */
export function withoutPlaceholders(text) {
  return text.replace(/[\uE000\uE001]/g, "\uFFFD");
}

/**
 * Replaces the formulas in `source` by placeholders: `\( \)`, `\[ \]`, `$$ $$`, and `$ $` by Pandoc's rules and one more
 * (see `dollars`). Code is left alone. While the text is still `growing`, a formula without an end lasts to the end of the text.
 */
export function extractFormulas(source, growing) {
  const formulas = [];
  const scanner = new Scanner(source, growing);
  const special = /[\\$`~]/g;
  let text = "";
  let copied = 0;
  let at = 0;
  for (;;) {
    special.lastIndex = at;
    const found = special.exec(source);
    if (found === null) break;
    at = found.index;
    if (found[0] === "`" || found[0] === "~") {
      at = scanner.endOfCode(at);
      continue;
    }
    const formula = found[0] === "\\" ? scanner.bracketed(at) : scanner.dollars(at);
    if (formula === null) {
      at += found[0] === "\\" || source[at + 1] === "$" ? 2 : 1;
      continue;
    }
    text += source.slice(copied, at) + open + formulas.length + close;
    formulas.push(formula);
    at += formula.source.length;
    copied = at;
  }
  return { text: text + source.slice(copied), formulas };
}

/** The text with the formulas' own characters instead of placeholders. */
export function restoreFormulas(text, formulas) {
  return text.replace(placeholder, (_, index) => formulas[index].source);
}

/** Calls `onText` and `onFormula` for the parts of a text with placeholders, in order. */
export function splitAtFormulas(text, formulas, onText, onFormula) {
  let at = 0;
  for (const found of text.matchAll(placeholder)) {
    if (found.index > at) onText(text.slice(at, found.index));
    onFormula(formulas[found[1]]);
    at = found.index + found[0].length;
  }
  if (at < text.length) onText(text.slice(at));
}

const typeset = new Map();

/** A new node that shows the formula: typeset, or its source where it is unfinished or KaTeX is not there. */
export function formulaNode(formula) {
  const tag = formula.display ? "formula-block" : "formula";
  const node = document.createElement("span");
  if (!formula.ended || window.katex === undefined) {
    node.className = `${tag} formula-open`;
    node.textContent = formula.source;
    return node;
  }
  const key = `${tag} ${formula.tex}`;
  if (!typeset.has(key)) {
    node.className = tag;
    try {
      window.katex.render(formula.tex, node, {
        displayMode: formula.display,
        throwOnError: false,
        errorColor: "var(--danger)",
        strict: "ignore",
        trust: false,
        maxSize: 20,
        maxExpand: 500,
      });
    } catch {
      node.className = `${tag} formula-open`;
      node.textContent = formula.source;
    }
    if (typeset.size >= cacheMax) typeset.clear();
    typeset.set(key, node);
  }
  return typeset.get(key).cloneNode(true);
}

/** Finds where what begins at a position ends. Positions only grow, so that nothing is looked for twice in vain. */
class Scanner {
  constructor(source, growing) {
    this.source = source;
    this.growing = growing;
    this.paragraphEnd = -1;
    /** Of each closing bracket, up to where none is known to come. */
    this.unclosed = { ")": 0, "]": 0 };
  }

  bracketed(at) {
    const { source } = this;
    const bracket = source[at + 1];
    if (bracket !== "(" && bracket !== "[") return null;
    const display = bracket === "[";
    const closer = display ? "]" : ")";
    if (at < this.unclosed[closer]) return null;
    const limit = display ? source.length : this.endOfParagraph(at);
    for (let next = at + 2; ; next += 2) {
      next = source.indexOf("\\", next);
      if (next < 0 || next + 1 >= limit) break;
      if (source[next + 1] === closer) return this.make(at, 2, next, 2, display);
    }
    if (this.growing && limit === source.length) return this.unfinished(at, display);
    this.unclosed[closer] = limit;
    return null;
  }

  /**
   * A formula between single dollars by Pandoc's rules (`tex_math_dollars`): the opening one has no space right after it,
   * the closing one no space right before it and no digit right after it. And the opening one has no digit right before
   * it, so that prices such as `5$` are text.
   */
  dollars(at) {
    const { source } = this;
    if (source[at + 1] === "$") return this.doubleDollars(at);
    if (!/\S/.test(source[at + 1] ?? "") || /\d/.test(source[at - 1] ?? "")) return null;
    const limit = this.endOfParagraph(at);
    for (let next = at + 2; next < limit; next += 1) {
      if (source[next] === "\\") next += 1;
      else if (source[next] === "$") {
        const fits = /\S/.test(source[next - 1]) && !/\d/.test(source[next + 1] ?? "");
        return fits ? this.make(at, 1, next, 1, false) : null;
      }
    }
    return null;
  }

  doubleDollars(at) {
    for (let next = at + 2; ; next += 2) {
      next = this.source.indexOf("$", next);
      if (next < 0) return this.growing ? this.unfinished(at, true) : null;
      if (this.source[next - 1] === "\\") next -= 1;
      else if (this.source[next + 1] === "$") return this.make(at, 2, next, 2, true);
    }
  }

  make(at, openerLength, end, closerLength, display) {
    return {
      source: this.source.slice(at, end + closerLength),
      tex: this.source.slice(at + openerLength, end),
      display,
      ended: true,
    };
  }

  unfinished(at, display) {
    return { source: this.source.slice(at), tex: "", display, ended: false };
  }

  /** Where the code that may begin at `at` ends: a fence, a span, or just the run of backticks or tildes itself. */
  endOfCode(at) {
    const { source } = this;
    const character = source[at];
    let end = at;
    while (source[end] === character) end += 1;
    const length = end - at;
    const lineStart = source.lastIndexOf("\n", at - 1) + 1;
    if (length >= 3 && /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)*$/.test(source.slice(lineStart, at))) {
      const fence = new RegExp(`\\n[ >]*${character}{${length},}[ \\t]*(?=\\n|$)`, "g");
      fence.lastIndex = end;
      return fence.exec(source) === null ? source.length : fence.lastIndex;
    }
    if (character === "~") return end;
    const limit = this.endOfParagraph(at);
    for (let next = source.indexOf("`", end); next >= 0 && next < limit; next = source.indexOf("`", next)) {
      const run = next;
      while (source[next] === "`") next += 1;
      if (next - run === length) return next;
    }
    return end;
  }

  endOfParagraph(at) {
    if (at > this.paragraphEnd) {
      const blank = /\n[ \t]*\n/g;
      blank.lastIndex = at;
      this.paragraphEnd = blank.exec(this.source)?.index ?? this.source.length;
    }
    return this.paragraphEnd;
  }
}
