// A trace as it is shown: each step a line in the colour of its type, and the answer.

import { el, inert, percent } from "./dom.js";

const COLOURS = { __proto__: null, memory: "memory", reason: "reason", answer: "answer" };

/** The class that gives a step type its colour; types that are neither memory nor reason share a third one. */
export function colour(type) {
  return COLOURS[type] ?? "other";
}

/** A step's type as a label. */
export function badge(type) {
  return el("span.badge", {}, inert(type));
}

/** A small bar with a share beside it; `full` is the share that fills the bar. */
export function shareBar(share, what, full = 1) {
  const bar = el("span.bar", { "aria-hidden": "true" }, el("span"));
  bar.firstChild.style.width = `${Math.round((100 * share) / full)}%`;
  return el("span.meter", { title: what }, bar, el("span.share", {}, percent(share)));
}

/** How sure the model was of a step, from its mean log-probability; nothing where that is not known. */
export function meter(logprob) {
  const what = "how sure the model was: the mean probability of a token of this step";
  return typeof logprob === "number" ? shareBar(Math.exp(logprob), what) : null;
}

/** One line of a trace; `parts` come after the text, which may be an element already. */
export function line(step, ...parts) {
  return el(
    `li.step.${colour(step.type)}`,
    {},
    badge(step.type),
    el("span.text", {}, step.text instanceof Node ? step.text : inert(step.text)),
    ...parts,
  );
}

/** A whole trace as a list, for reading only. */
export function trace(steps, answer) {
  const lines = steps.map((step) => line(step, meter(step.logprob)));
  if (answer !== null && answer !== undefined) lines.push(line({ type: "answer", text: answer }));
  return el("ol.trace", {}, lines);
}
