// One problem with its answer on the page. Knows nodes and words, nothing of requests.

import { AnswerView } from "./answer.js";

export class ExchangeView {
  /** `actions`: `stop()` and `retry()`; `onRender()` is called whenever its height may have changed. */
  constructor(problem, actions, onRender) {
    this.onRender = onRender;
    this.text = "";
    this.question = make("h2", "question", problem);
    this.question.dir = "auto";
    this.reasoning = make("details", "reasoning");
    this.reasoningText = make("div", "");
    this.reasoning.append(make("summary", "", "Thinking"), this.reasoningText);
    this.reasoning.hidden = true;
    this.answer = make("div", "answer");
    this.answer.setAttribute("aria-live", "polite");
    this.answer.setAttribute("aria-label", "Answer");
    this.answer.setAttribute("role", "region");
    this.problem = make("div", "problem");
    this.problem.setAttribute("role", "alert");
    this.status = make("p", "status");
    this.status.setAttribute("role", "status");
    this.stop = make("button", "stop", "Stop");
    this.stop.type = "button";
    this.stop.addEventListener("click", () => actions.stop());
    this.retry = make("button", "retry", "Try again");
    this.retry.type = "button";
    this.retry.addEventListener("click", () => actions.retry());
    this.meta = make("p", "meta");
    const foot = make("div", "foot");
    foot.append(this.status, this.stop);
    this.node = make("article", "exchange");
    this.node.append(this.question, this.reasoning, this.answer, this.problem, foot, this.meta);
    this.answerView = new AnswerView(this.answer, onRender);
    this.showRunning();
  }

  /** Back to an empty answer that is on its way. */
  showRunning() {
    this.dropAnswer();
    this.answer.setAttribute("aria-busy", "true");
    this.problem.hidden = true;
    this.meta.hidden = true;
    this.stop.hidden = false;
    this.stop.disabled = false;
    this.node.dataset.state = "running";
  }

  /** What goes on, in words; `kind` "trouble" marks a lost connection or a pause. */
  showStatus(words, kind = "") {
    if (this.status.textContent !== words) this.status.textContent = words;
    this.status.dataset.busy = "true";
    this.status.dataset.kind = kind;
    this.status.hidden = words === "";
    this.onRender();
  }

  appendAnswer(text) {
    this.text += text;
    this.answerView.append(text);
  }

  appendReasoning(text) {
    this.reasoning.hidden = false;
    this.reasoningText.append(text);
    this.onRender();
  }

  dropAnswer() {
    this.text = "";
    this.answerView.clear();
    this.reasoning.hidden = true;
    this.reasoningText.replaceChildren();
  }

  showStopping() {
    this.stop.disabled = true;
    this.showStatus("Stopping…");
  }

  /** The stop did not take; the answer goes on. */
  showStopFailed(words) {
    this.stop.disabled = false;
    this.showStatus(words, "trouble");
  }

  /** The end: `state` is "completed", "cancelled" or "failed"; `words` may be empty. */
  showEnd(state, words, summary) {
    this.answerView.finish();
    this.answer.setAttribute("aria-busy", "false");
    this.node.dataset.state = state;
    this.stop.hidden = true;
    this.status.textContent = words;
    this.status.dataset.busy = "false";
    this.status.hidden = words === "";
    this.meta.textContent = summary;
    this.meta.hidden = summary === "";
    this.onRender();
  }

  /** An error in words, with its details and a button to try again. */
  showProblem({ title, detail, errors, requestId }) {
    this.problem.replaceChildren(make("strong", "", title));
    if (detail !== "" && detail !== title) this.problem.append(make("p", "", detail));
    if (errors.length > 0) {
      const list = make("ul", "");
      list.append(...errors.map((message) => make("li", "", message)));
      this.problem.append(list);
    }
    if (requestId !== "") this.problem.append(make("small", "", `Request ${requestId}`));
    const line = make("div", "");
    line.append(this.retry);
    this.problem.append(line);
    this.problem.hidden = false;
    this.onRender();
  }
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className !== "") node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
