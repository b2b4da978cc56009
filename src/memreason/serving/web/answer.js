// The lines of an answer, with what changed marked, and the panel of the step that is open.

import { aligned, words } from "./diff.js"; // the report's
import { el, inert } from "./dom.js";
import { line, meter } from "./trace.js";

const TAGS = { same: "span", added: "ins", removed: "del" };

/** The lines of `version`; changes to the version `before` are marked, where one is given. With `toggle(at)`, a press on
 * a step calls it; below step `open.at` stands `open.node`. */
export function lines(version, before, open, toggle) {
  const rows = before ? aligned(before.steps, version.steps) : version.steps.map((step) => [step, step]);
  let at = 0;
  const shown = rows.map(([old, step]) => (step ? stepLine(step, old, at++) : gone(old)));
  if (version.answer !== null) shown.push(answerLine());
  return shown;

  function stepLine(step, old, number) {
    const was = old && old.type !== step.type ? el("span.was", {}, "was ", inert(old.type)) : null;
    const sure = step.by === "you" ? el("span.meter", {}, "yours") : meter(step.logprob);
    const item = line({ type: step.type, text: marked(old?.text ?? "", step.text) }, sure);
    if (was) item.querySelector(".badge").append(was);
    return pressable(item, number, `step ${number + 1}`);
  }

  function answerLine() {
    const text = marked(before ? (before.answer ?? "") : version.answer, version.answer);
    return pressable(line({ type: "answer", text }, meter(version.answer_logprob)), version.steps.length, "the answer");
  }

  /** A line whose text is a button. */
  function pressable(item, number, name) {
    if (!toggle) return item;
    const isOpen = open?.at === number;
    const text = item.querySelector(".text");
    const attributes = { type: "button", "data-at": number, "aria-expanded": String(isOpen), title: `change ${name}` };
    text.replaceWith(el("button.text", attributes, [...text.childNodes], el("span.unseen", {}, `, change ${name}`)));
    item.addEventListener("click", (event) => {
      const selects = event.detail && getSelection().toString(); // a press of a key, which has no detail, never does
      if (!event.target.closest(".panel") && !selects) toggle(number);
    });
    if (isOpen) item.append(open.node);
    return item;
  }
}

const gone = (step) => el("li.step.gone", {}, el("span.badge", {}, "gone"), el("del.text", {}, inert(step.text)));

function marked(old, now) {
  return el(
    "bdi",
    {},
    words(old, now).map(({ kind, text }) => el(TAGS[kind], {}, text)),
  );
}
