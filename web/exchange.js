// One problem from its submission to its end: drives the view from the API and the stream.
//
//   submitting --202--> following --completed, failed, cancelled, lost--> over --Try again--> submitting
//   submitting --refused--> over

import { stopRequest, submit } from "./api.js";
import { APIError, errorList, makeKey, pause } from "./http.js";
import { follow } from "./stream.js";
import { ExchangeView } from "./view.js";
import {
  cancelWords, connectionWords, queueWords, refusalWords, restartWords, summaryWords, waitWords, workingWords,
} from "./words.js";

/** How long the stream may take to tell of an end that the answer to a stop already told of. */
const endGrace = 3000;

export class Exchange {
  /**
   * `entry` is what the session remembers of it: `problem`, then `key`, `id`, `streamUrl`, `conversationId`, and at
   * the end `end` and `text`. `context` gives `provider`, `conversationId()`, `save()` and `onRender()`, and
   * is told `accepted(entry)` and `ended(entry)`.
   */
  constructor(entry, context) {
    this.entry = entry;
    this.context = context;
    this.view = new ExchangeView(
      entry.problem,
      { stop: () => this.stop(), retry: () => this.retry() },
      context.onRender,
    );
  }

  get running() {
    return this.entry.end === undefined;
  }

  /** Begins, or goes on from where the remembered entry stands. */
  start() {
    if (this.entry.end !== undefined) {
      this.view.appendAnswer(this.entry.text ?? "");
      this.showEnd(this.entry.end.kind, this.entry.end.data);
    } else if (this.entry.id !== undefined) {
      this.follow();
    } else {
      this.submit();
    }
  }

  /** Lets go of everything without a word; a request that runs goes on at the server. */
  close() {
    this.pauses?.abort();
    this.stream?.close();
    this.closed = true;
  }

  retry() {
    Object.assign(this.entry, { key: makeKey(), id: undefined, streamUrl: undefined, end: undefined, text: undefined });
    this.view.showRunning();
    this.submit();
  }

  async submit() {
    this.stopping = false;
    this.pauses = new AbortController();
    this.entry.key ??= makeKey();
    this.context.save();
    try {
      const accepted = await this.submitOnce(this.entry.conversationId ?? this.context.conversationId());
      if (this.closed) return;
      Object.assign(this.entry, {
        id: accepted.correlationId,
        streamUrl: accepted.streamUrl,
        conversationId: accepted.conversationId,
      });
      this.context.save();
      this.context.accepted(this.entry);
      this.follow();
      if (this.stopping) this.stop();
    } catch (error) {
      if (!this.closed) this.submissionFailed(error);
    }
  }

  async submitOnce(conversationId) {
    const { problem, key } = this.entry;
    const { provider } = this.context;
    const steps = {
      signal: this.pauses.signal,
      onSend: () => this.view.showStatus(this.stopping ? "Stopping…" : "Sending…"),
      onWait: (seconds, error) => this.countDown(seconds, error),
    };
    try {
      return await submit({ problem, conversationId, provider, key }, steps);
    } catch (error) {
      const conversationGone = error instanceof APIError && error.status === 404 && conversationId !== undefined;
      if (!conversationGone) throw error;
      this.entry.conversationId = undefined;
      return submit({ problem, provider, key: (this.entry.key = makeKey()) }, steps);
    }
  }

  submissionFailed(error) {
    if (this.pauses.signal.aborted) {
      this.end("cancelled", { reason: "requested" });
    } else {
      const refusal = error instanceof APIError ? error : new APIError({ title: "Something went wrong in this page" });
      this.end("lost", refusal);
    }
  }

  async countDown(seconds, error) {
    const over = performance.now() + seconds * 1000;
    for (let left = seconds; left > 0; left = Math.ceil((over - performance.now()) / 1000)) {
      if (this.pauses.signal.aborted) return;
      this.view.showStatus(waitWords(error, left), "trouble");
      await pause(Math.min(1000, over - performance.now()));
    }
  }

  follow() {
    let words = connectionWords.connecting;
    let connected = true;
    const show = (next) => {
      words = next;
      if (connected && !this.stopping) this.view.showStatus(words);
    };
    this.stream = follow(this.entry, {
      connection: (state) => {
        connected = state === "live" || state === "connecting";
        if (connected) show(words);
        else if (!this.stopping) this.view.showStatus(connectionWords[state], "trouble");
      },
      queued: ({ position }) => show(queueWords(position)),
      started: (data) => show(workingWords(data)),
      text: (text) => this.view.appendAnswer(text),
      reasoning: (text) => this.view.appendReasoning(text),
      dropText: (reason) => {
        if (this.view.text !== "") show(restartWords(reason));
        this.view.dropAnswer();
      },
      end: (kind, data) => this.end(kind, data),
    });
  }

  /** Stops what is going on: a pause at once, a request at the server. */
  async stop() {
    this.stopping = true;
    this.pauses?.abort();
    this.view.showStopping();
    if (this.entry.id === undefined) return;
    const { stream } = this;
    try {
      const record = await stopRequest(this.entry.id);
      await pause(endGrace);
      stream.finish(record);
    } catch (error) {
      if (this.entry.end !== undefined || this.closed) return;
      this.stopping = false;
      this.view.showStopFailed(`This could not be stopped: ${error.message}`);
    }
  }

  end(kind, data) {
    if (typeof data.answer === "string" && data.answer !== this.view.text) {
      this.view.dropAnswer();
      this.view.appendAnswer(data.answer);
    }
    this.entry.end = { kind, data: remembered(data) };
    this.entry.text = this.view.text;
    this.context.save();
    this.context.ended(this.entry);
    this.showEnd(kind, this.entry.end.data);
  }

  showEnd(kind, data) {
    if (kind === "completed") return this.view.showEnd("completed", "", summaryWords(data));
    if (kind === "cancelled") return this.view.showEnd("cancelled", cancelWords(data.reason), summaryWords(data));
    this.view.showEnd("failed", "", summaryWords({ ...data, provider: undefined }));
    this.view.showProblem({
      title: data.title || "The problem could not be solved",
      detail: refusalWords(data),
      errors: data.errors ?? [],
      requestId: data.requestId || "",
    });
  }
}

/** What the session keeps of an end: all but what it knows already. */
function remembered(data) {
  const { answer, problem, ...rest } = data;
  return data instanceof APIError ? rest : { ...rest, errors: errorList(data) };
}
