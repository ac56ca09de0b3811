// Checks of the answer's rendering, run inside the page by test_page.py. Each returns a list of what is wrong.

const sample = String.raw`# Roots of \(x^2 - 5x + 6\)

Two numbers with **product** \(6\) and *sum \(a*b_1*c\)*,
see ${"`f(\\(x\\))`"} and [docs](https://example.org/?a=1&b=2).

1. **Factor**:
   \[ x^2 - 5x + 6 = (x - 2)(x - 3) \]
2. Zero: \(x - 2 = 0\) or \(x - 3 = 0\).

   A second paragraph.
   - nested \(y\)
   - list

10. later
11. numbers

\[
- x = \frac{1}{2} \\

+ y
\]

| \(x\) | \(|x|\) | n |
| --- | :-: | --: |
| 1 | \(|1|\) | a \\| b |

> Quote with $x$ and $$y^2$$
> second line

~~~text
\(not math\)
~~~
${"```"}python
x = "$a$"

y = 1
${"```"}

It costs $5 and $6. A line\
break, a <b>tag</b> & an &lt;entity&gt; - [ ] no task

- [x] done
- [ ] open

Setext
------

	indented with a tab

***
Unclosed \(x and **bold and ${"`code"}

\[ never closed`;

async function modules() {
  return import("/assets/answer.js");
}

function shape(container) {
  return container.innerHTML;
}

async function show(pieces) {
  const { AnswerView } = await modules();
  const container = document.createElement("div");
  const view = new AnswerView(container);
  for (const piece of pieces) {
    view.append(piece);
    view.unschedule();
    view.render();
  }
  view.finish();
  return container;
}

function pieces(text, size) {
  const result = [];
  for (let at = 0; at < text.length; at += size) result.push(text.slice(at, at + size));
  return result;
}

async function differencesByPieces() {
  const wrong = [];
  for (const [name, text] of [["LF", sample], ["CRLF", sample.replaceAll("\n", "\r\n")]]) {
    const whole = shape(await show([text]));
    for (const size of [1, 2, 3, 7, 50, 400]) {
      const grown = shape(await show(pieces(text, size)));
      if (grown === whole) continue;
      let at = 0;
      while (grown[at] === whole[at]) at += 1;
      const near = (text) => text.slice(Math.max(at - 80, 0), at + 80);
      wrong.push(`${name} in pieces of ${size}: …${near(grown)} instead of ${near(whole)}`);
    }
  }
  return wrong;
}

async function wrongElements() {
  const cases = [
    [String.raw`\(x_1\) and \(x_2\)`, ".katex", 2],
    [String.raw`\[ a \]`, ".formula-block .katex-display", 1],
    ["$$a$$ and $b$", ".katex", 2],
    ["$5 and $6, $ x $", ".katex", 0],
    ["A pen costs 5$, a book 12$.", ".katex", 0],
    ["100$/month or 200$/year", ".katex", 0],
    ["At 5$, it is $x$ and $y$; the 2nd costs 12$.", ".katex", 2],
    ["\\$5$ and 5\\$x\\$, but $a\\$b$", ".katex", 1],
    ["**\\(x\\)**", "strong .katex", 1],
    ["*a \\(b*c\\) d*", "em .katex", 1],
    ["`\\(x\\)`", "code", 1],
    ["`\\(x\\)`", ".katex", 0],
    ["\\\\(x\\\\)", ".katex", 0],
    ["| a |\n| - |\n| \\(|x|\\) |", "td .katex", 1],
    ["## Title", "h4", 1],
    ["3. a\n4. b", "ol[start='3'] > li", 2],
    ["- a\n  - b", "li li", 1],
    ["```\n\\(x\\)\n```", "pre code", 1],
    ["> q", "blockquote p", 1],
    ["\\(x", ".katex", 0],
    ["\\(\\frac{\\)", ".katex-error", 1],
    ["www.example.org and https://example.org/a?b&c", "a[rel~=noopener]", 2],
    ["[a](https://example.org \"t\")", "a[href='https://example.org/']", 1],
  ];
  const wrong = [];
  for (const [text, selector, count] of cases) {
    const found = (await show([text])).querySelectorAll(selector).length;
    if (found !== count) wrong.push(`${text}: ${found} of ${selector} instead of ${count}`);
  }
  return wrong;
}

async function injected() {
  const allowed = new Set(("a blockquote br code del div em h3 h4 h5 h6 hr li ol p pre span strong table tbody td th "
    + "thead tr ul math semantics mrow mi mo mn annotation msup mtext svg path mstyle").split(" "));
  const hostile = [
    "<script>window.injected = 1</script>",
    "<img src=x onerror='window.injected = 1'>",
    "text <b onclick=alert(1)>b</b> <svg/onload=alert(1)>",
    "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](vbscript:x) [e](//x.example/)",
    "[a](&#106;avascript:alert(1)) <javascript:alert(1)> ![i](javascript:alert(1)) ![p](https://x.example/i.png)",
    "\\(\\href{javascript:alert(1)}{x}\\) \\(\\url{javascript:alert(1)}\\)",
    "\\(\\includegraphics{https://x.example/i.png}\\) \\(\\def\\a{\\a\\a}\\a\\)",
    "\\(\\htmlClass{foot}{x}\\) \\(\\htmlId{problem}{x}\\) \\(\\htmlStyle{position:fixed}{x}\\)",
    "\\(<img src=x onerror=alert(1)>\\) \\[\"><script>alert(1)</script>\\]",
    "`<img src=x>`\n\n```html\"onload=x\n<script>alert(1)</script>\n```",
    "[x]: javascript:alert(1)\n\n[x]",
    "\uE0000\uE001 \uE00099\uE001",
    ">".repeat(20000),
    "[".repeat(20000),
    "*a ".repeat(5000),
    "- ".repeat(3000) + "x",
  ];
  const wrong = [];
  for (const text of hostile) {
    const began = performance.now();
    const container = await show([text]);
    document.getElementById("history").append(container);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const name = text.slice(0, 60);
    if (performance.now() - began > 5000) wrong.push(`${name}: takes ${Math.round(performance.now() - began)} ms`);
    for (const node of container.querySelectorAll("*")) {
      if (!allowed.has(node.localName)) wrong.push(`${name}: element ${node.localName}`);
      for (const attribute of node.getAttributeNames()) {
        if (attribute.startsWith("on") || ["src", "id"].includes(attribute)) wrong.push(`${name}: ${attribute}`);
      }
      if (node.localName === "a" && !/^https?:$/.test(node.protocol)) wrong.push(`${name}: ${node.href}`);
    }
    container.remove();
  }
  if (window.injected !== undefined) wrong.push("a script ran");
  return wrong;
}

async function longAnswer() {
  const { AnswerView } = await modules();
  const container = document.createElement("div");
  const view = new AnswerView(container);
  const step = String.raw`Step: we add \(x^2\) on **both** sides, so that \(y = x^2 + c\) holds for all.` + "\n\n";
  let first = null;
  let tailMax = 0;
  for (let count = 0; count < 1000; count += 1) {
    view.append(step);
    view.unschedule();
    view.render();
    first ??= container.firstChild;
    tailMax = Math.max(tailMax, view.tail.length);
  }
  view.finish();
  const blocks = container.children.length;
  return { firstBlockKept: container.firstChild === first, tailMax, blocks, blocksWanted: 1000 };
}
