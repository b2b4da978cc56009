// Two runs side by side, question by question.

import { aligned, words } from "./diff.js"; // the report's
import { el, inert } from "./dom.js";
import { accuracyRow, panel } from "./browse_figures.js";
import { called } from "./browse_names.js";
import { facts, heading, marks } from "./browse_traces.js";
import { badge, colour } from "./trace.js";

/** The figures over the questions that both have. */
export function compared(found, link) {
  const { left, right, changes, comparison, n, unpaired } = found.figures;
  const [one, two] = found.labels;
  const cell = (change) =>
    el(
      "td",
      {},
      el(
        "a",
        { href: link({ change }), "aria-label": `${called("change", change)}: ${changes[change]}` },
        String(changes[change]),
      ),
    );
  const column = (...texts) => texts.map((text) => el("th", { scope: "col" }, text));
  if (!n)
    return panel(
      "Nothing to compare",
      el("p", {}, "They have no question in common. "),
      el("p.note", {}, leftOut(unpaired)),
    );
  return el("div.figures", {}, [
    panel(
      "Accuracy on the questions of both",
      el("ul.bars", {}, accuracyRow(inert(one), left, null), accuracyRow(inert(two), right, null)),
      comparison ? difference(comparison) : null,
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
    ),
  ]);
}

/** How far the right one is ahead, how sure that is, and what it means; the figures and words of `memreason compare`. */
function difference({ difference, interval, p, smallest, sentence }) {
  const rows = [
    ["Difference", [el("strong", {}, points(difference)), " percentage points"]],
    ["95% interval", interval.map(points).join(" to ")],
    ["p", el("data", { value: p, title: p }, shown(p))],
    ["Detectable", smallest === null ? "–" : `${points(smallest).replace("+", "")} points or more`],
  ];
  const list = rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  const meant =
    "p: how probable a difference as large as this, or larger, would be if both were equally good (McNemar's exact test). Detectable: the smallest true difference that such answers would have shown four times in five.";
  return [el("dl.compared", {}, list), el("p", {}, inert(sentence)), el("p.note", {}, meant)];
}

/** One question in both runs. */
export function pair(found, labels, links) {
  const { left, right } = found;
  const sides = [left, right].map((row, side) => el("div.side", {}, el("h4", {}, inert(labels[side])), facts(row)));
  const lines = rows(left.steps, right.steps).map(([one, other, alike]) => {
    const parts = alike ? words(one.text, other.text) : null;
    return el(
      "li.beside",
      {},
      step(left, one, other, parts, "removed", labels[0]),
      step(right, other, one, parts, "added", labels[1]),
    );
  });
  const isSame = left.answer === right.answer;
  return el("article.card", { "aria-label": called("change", found.change), tabindex: "-1" }, [
    heading(left),
    found.same_options
      ? null
      : el("p.note", {}, "The options stand in another order on the right, so that their letters differ."),
    el("div.beside", {}, sides),
    el("ol.beside.trace", { "aria-label": "Steps; those that say nearly the same stand beside each other" }, [
      lines,
      el("li.beside", {}, answer(left, isSame, labels[0]), answer(right, isSame, labels[1])),
    ]),
    el(
      "p.foot",
      {},
      el("span.note.where", {}, inert(left.id)),
      links.map(([text, href]) => el("a", { href }, text)),
    ),
  ]);
}

/** [step, step, whether they say nearly the same]; between such pairs, the other steps stand in their order. */
function rows(left, right) {
  const found = [];
  const waiting = [[], []];
  const flush = () => {
    const [one, other] = waiting.map((steps) => steps.splice(0));
    for (let at = 0; at < Math.max(one.length, other.length); at++)
      found.push([one[at] ?? null, other[at] ?? null, false]);
  };
  for (const [one, other] of aligned(left, right)) {
    if (one && other) {
      flush();
      found.push([one, other, true]);
    } else if (one) waiting[0].push(one);
    else waiting[1].push(other);
  }
  flush();
  return found;
}

/** One step; `parts` are the words of both where the `other` one says nearly the same, those of `kind` this one's. */
function step(row, own, other, parts, kind, label) {
  if (!own) return nothing("no such step", label);
  const differs = !parts || own.type !== other.type || own.text !== other.text;
  return side(row, row.steps.indexOf(own), own.type, label, differs, parts ? marked(parts, kind) : own.text);
}

function answer(row, isSame, label) {
  if (row.answer === null) return nothing("no answer line", label);
  return side(row, row.steps.length, "answer", label, !isSame, row.answer);
}

function side(row, place, type, label, differs, text) {
  return el(`div.step.${colour(type)}${differs ? ".differs" : ""}`, {}, [
    el("span.whose.unseen", {}, inert(label), ": "),
    badge(type),
    el("span.text", {}, el("bdi", {}, text), differs ? el("span.unseen", {}, " (differs)") : null),
    marks(row, place, place === row.steps.length ? "answer" : undefined),
  ]);
}

function marked(parts, kind) {
  const own = parts.filter((part) => part.kind === "same" || part.kind === kind);
  return own.map((part) => (part.kind === "same" ? part.text : el(kind === "removed" ? "del" : "ins", {}, part.text)));
}

function nothing(words, label) {
  return el("div.step.nothing", {}, el("span.whose.unseen", {}, inert(label), ": "), el("span.note.text", {}, words));
}

function leftOut(unpaired) {
  const words = {
    only_left: "only in the left one",
    only_right: "only in the right one",
    other_text: "with the same id but another text",
    repeated: "several times in one of them",
  };
  const found = Object.keys(words).filter((name) => unpaired[name]);
  return found.length
    ? `Left out: ${found.map((name) => `${unpaired[name]} ${words[name]}`).join(", ")}.`
    : "Both have the same questions.";
}

/** 0.123 → "+12.3" */
function points(share) {
  const rounded = Math.round(1000 * share) / 10;
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${Math.abs(rounded)}`;
}

function shown(p) {
  if (p > 0.99) return p === 1 ? "1" : "more than 0.99";
  return p < 0.001 ? "less than 0.001" : p.toPrecision(2);
}
