// Two runs side by side, question by question.

import { el, inert } from "./dom.js";
import { accuracyRow, panel } from "./browse_figures.js";
import { called } from "./browse_names.js";
import { facts, heading, marks } from "./browse_traces.js";
import { badge, colour } from "./trace.js";

/** The figures over the questions that both have. */
export function compared(found, link) {
  const { left, right, changes, n, p, unpaired } = found.figures;
  const [one, two] = found.labels;
  const cell = (change) => el("td", {}, el("a", { href: link({ change }), "aria-label": `${called("change", change)}: ${changes[change]}` }, String(changes[change])));
  const column = (...texts) => texts.map((text) => el("th", { scope: "col" }, text));
  if (!n) return panel("Nothing to compare", el("p", {}, "They have no question in common. "), el("p.note", {}, leftOut(unpaired)));
  return el("div.figures", {}, [
    panel(
      "Accuracy on the questions of both",
      el("ul.bars", {}, accuracyRow(inert(one), left, null), accuracyRow(inert(two), right, null)),
      el("p.note", {}, leftOut(unpaired)),
    ),
    panel(
      "Which questions changed",
      el("table.changes", {}, [
        el("thead", {}, el("tr", {}, el("td"), column([inert(two), " right"], [inert(two), " wrong"]))),
        el("tbody", {}, [
          el("tr", {}, el("th", { scope: "row" }, inert(one), " right"), cell("both_right"), cell("only_left")),
          el("tr", {}, el("th", { scope: "row" }, inert(one), " wrong"), cell("only_right"), cell("both_wrong")),
        ]),
      ]),
      p === null ? null : el("p.note", {}, `If both were equally good, a difference as large as this would come up with probability ${shown(p)} (McNemar's exact test).`),
    ),
  ]);
}

/** One question in both runs. */
export function pair(found, labels, links) {
  const { left, right } = found;
  const sides = [left, right].map((row, side) => el("div.side", {}, el("h4", {}, inert(labels[side])), facts(row)));
  return el("article.card", { "aria-label": called("change", found.change), tabindex: "-1" }, [
    heading(left),
    found.same_options ? null : el("p.note", {}, "The options stand in another order on the right, so that their letters differ."),
    el("div.beside", {}, sides),
    el("ol.beside.trace", { "aria-label": "Steps, those that say nearly the same beside each other" }, [
      found.aligned.map((row) => el("li.beside", {}, cell(left, row.left, row.left_parts, row.alike ? "del" : null, row.same, labels[0]), cell(right, row.right, row.right_parts, row.alike ? "ins" : null, row.same, labels[1]))),
      el("li.beside", {}, answer(left, left.answer === right.answer, "del", labels[0]), answer(right, left.answer === right.answer, "ins", labels[1])),
    ]),
    el("p.foot", {}, el("span.note.where", {}, inert(left.id)), links.map(([text, href]) => el("a", { href }, text))),
  ]);
}

function cell(row, place, parts, mark, same, label) {
  if (place === null) return el("div.step.nothing", {}, el("span.note", {}, "no such step"));
  const step = row.steps[place];
  const kind = row.step_kinds?.[place] ?? (["memory", "reason"].includes(step.type) ? step.type : null);
  return el(`div.step.${colour(step.type)}${same ? "" : ".differs"}`, {}, [
    el("span.unseen", {}, inert(label), ": "),
    badge(step.type),
    el("span.text", {}, pieces(parts, mark)),
    marks(row, place, kind),
  ]);
}

function answer(row, same, mark, label) {
  if (row.answer === null) return el("div.step.nothing", {}, el("span.note", {}, "no answer line"));
  return el(`div.step.answer${same ? "" : ".differs"}`, {}, [
    el("span.unseen", {}, inert(label), ": "),
    badge("answer"),
    el("span.text", {}, pieces([[row.answer, !same]], mark)),
    marks(row, row.steps.length, "answer"),
  ]);
}

function pieces(parts, mark) {
  return el("bdi", {}, parts.map(([text, differs]) => (mark && differs && text.trim() ? el(mark, {}, text) : text)));
}

function leftOut(unpaired) {
  const words = {
    only_left: "only in the left one",
    only_right: "only in the right one",
    other_text: "with the same id but another text",
    repeated: "several times in one of them",
  };
  const found = Object.keys(words).filter((name) => unpaired[name]);
  return found.length ? `Left out: ${found.map((name) => `${unpaired[name]} ${words[name]}`).join(", ")}.` : "Both have the same questions.";
}

function shown(p) {
  return p < 0.001 ? "less than 0.001" : p.toPrecision(2);
}
