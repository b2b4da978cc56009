// An answer while the model writes it.

import * as api from "./api.js";
import { announce } from "./dom.js";

/** An answer under way: `steps` and `answer` so far, its `ids`, of which the first `given` were given. */
export class Writing {
  constructor() {
    this.steps = [];
    this.answer = null;
    this.ids = [];
    this.given = 0;
    this.under = new AbortController();
  }

  /** Stop it; what is written is kept. */
  stop() {
    this.under.abort();
  }

  /** Ask the server, and call `onNews` for all that comes. Returns a version (state.js) without its place in the tree,
   * or null where nothing was written; `onProblem` is called with what went wrong. */
  async run(path, body, onNews, onProblem) {
    let done = null;
    try {
      await api.stream(
        path,
        body,
        (event) => {
          if (event.done) done = event.done;
          else this.grow(event);
          onNews();
        },
        this.under.signal,
      );
    } catch (error) {
      if (error.name !== "AbortError") onProblem(error);
    }
    if (!done && this.ids.length <= this.given) return null;
    const { finish_reason, ...said } = done ?? this;
    const { ids, steps, answer, answer_logprob = null } = said;
    return { given: this.given, ids, steps, answer, answer_logprob, finish: finish_reason ?? "stopped" };
  }

  grow({ ids, steps, answer }) {
    if (!this.ids.length) this.given = ids.length;
    this.ids.push(...ids);
    for (const { index, ...step } of steps) {
      if (index > 0 && index === this.steps.length) announce(said(this.steps[index - 1])); // it is whole now
      this.steps[index] = step;
    }
    this.answer = answer;
  }
}

/** A step in words. */
export const said = (step) => `${step.type}: ${step.text}`;

/** Have the model write all versions again, each from what was given; `found(number, "same" or "other")` for each. */
export async function replay(versions, question, isSame, found, signal) {
  for (const [number, version] of versions.entries()) {
    let written = null;
    const ids = version.ids.slice(0, version.given);
    const [path, more] = ids.length ? ["continue", { ids }] : ["ask", {}];
    await api.stream(path, { ...question, ...more }, (event) => (written = event.done ?? written), signal);
    found(number, written && isSame(version, written) ? "same" : "other");
  }
}
