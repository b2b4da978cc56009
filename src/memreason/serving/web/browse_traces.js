// A list of recorded traces: each with its question, its steps and what the judge says of them.

import { get } from "./api.js";
import { el, fill, inert } from "./dom.js";
import { called, edited, meaning } from "./browse_names.js";
import { line, meter, trace as lines } from "./trace.js";

const TRUTH = {
  __proto__: null,
  memory: { true: ["✓", "true"], false: ["✗", "false"], null: ["?", "not judged"] },
  reason: { true: ["✓", "valid"], false: ["✗", "not valid"], null: ["?", "not judged"] },
  answer: { true: ["✓", "follows"], false: ["✗", "does not follow"], null: ["?", "not judged"] },
};

/** One trace. `links` has what can be done with it: [text, address]. */
export function card(row, run, links) {
  return el("article.card", { "aria-label": `Trace ${row.place + 1}`, tabindex: "-1" }, [
    heading(row),
    facts(row),
    el("ol.trace", { "aria-label": "Steps" }, steps(row)),
    foot(row, run, links),
  ]);
}

/** The question of a trace with its options. */
export function heading(row) {
  const options = row.options.map((option, place) =>
    el("li", {}, `${String.fromCharCode(65 + place)}. `, inert(option)),
  );
  return [
    el("h3.question", {}, inert(row.question)),
    options.length ? el("ul.options", { "aria-label": "Options" }, options) : null,
  ];
}

/** Whether a trace is right, what it answers, and why it is wrong. */
export function facts(row) {
  const wrong = row.outcome !== "correct";
  const cause = row.outcome === "incorrect" && row.step_truth ? (row.cause ?? "unexplained") : null;
  return el("p.facts", {}, [
    outcome(row.outcome),
    cause ? pill("cause", cause) : null,
    row.grounds ? pill("grounds", row.grounds) : null,
    wrong ? el("span", {}, "the right answer is ", el("strong", {}, inert(row.gold))) : null,
    row.truncated ? el("span.note", {}, "cut off at the limit of its length") : null,
    row.well_formed ? null : el("span.note", {}, "not well formed"),
  ]);
}

export function outcome(name) {
  return el(
    `span.outcome.${name === "correct" ? "good" : "bad"}`,
    {},
    `${name === "correct" ? "✓" : "✗"} ${called("outcome", name)}`,
  );
}

function pill(facet, value) {
  return el(`span.pill.is-${value}`, { title: meaning(facet, value) }, inert(called(facet, value)));
}

/** The lines of a trace with the judge's marks. */
function steps(row) {
  const truth = row.step_truth;
  const wrong = row.outcome === "correct" ? -1 : (truth ?? []).findIndex((each) => each === false);
  const made = row.steps.map((step, place) => {
    return marked(line(step, marks(row, place)), place === wrong);
  });
  if (row.answer === null) made.push(el("li.note", {}, "no answer line"));
  else
    made.push(
      marked(
        line({ type: "answer", text: row.answer }, marks(row, row.steps.length, "answer")),
        row.steps.length === wrong,
      ),
    );
  return made;
}

function marked(item, first) {
  if (first) {
    item.classList.add("first-wrong");
    item.append(el("span.first", {}, "first wrong step"));
  }
  return item;
}

/** What is known of one step: whether it is true, how sure the model was, whether its type is another one. */
export function marks(row, place, kind = kindOf(row, place)) {
  const type = row.steps[place]?.type;
  const other = row.step_kinds?.[place] && type in TRUTH && row.step_kinds[place] !== type;
  const [sign, word] = row.step_truth && kind ? TRUTH[kind][row.step_truth[place] ?? null] : [];
  const truth = { "✓": "good", "✗": "bad", "?": "unsure" }[sign];
  return el("span.marks", {}, [
    meter(row.step_logprobs?.[place]),
    other
      ? el(
          "span.note",
          { title: "what the step says is of another kind than its type" },
          `says a ${kind === "memory" ? "fact" : "conclusion"}`,
        )
      : null,
    sign ? el(`span.truth.${truth}`, {}, `${sign} ${word}`) : null,
  ]);
}

/** What a step says, a memory or a reason: as the judge read it, else as its type has it. */
function kindOf(row, place) {
  const { type } = row.steps[place];
  return row.step_kinds?.[place] ?? (type in TRUTH ? type : null);
}

function foot(row, run, links) {
  const parts = [
    el(
      "span.note.where",
      {},
      [row.split, row.family].filter(Boolean).map((text) => [inert(text), " · "]),
      inert(row.id),
    ),
  ];
  parts.push(...links.map(([text, href]) => el("a", { href }, text)));
  const more = run.explanation ? whatIf(row, run.name) : null;
  return [el("p.foot", {}, parts), more, raw(row)];
}

function raw(row) {
  return el("details", {}, el("summary", {}, "As written"), el("pre", { dir: "auto" }, row.generated_text));
}

/** What the explanation has on a trace, fetched when it is opened. */
function whatIf(row, run) {
  const inside = el("div.edits");
  const details = el("details", { ontoggle: open }, el("summary", {}, "What if"), inside);
  let asked = false;
  async function open() {
    if (asked || !details.open) return;
    asked = true;
    fill(inside, el("p.note", {}, "…"));
    try {
      const found = await get(`explained/${encodeURIComponent(run)}`, { id: row.id });
      fill(
        inside,
        found.trace
          ? explained(found.trace, row)
          : el("p.note", {}, found.problem ?? "The explanation has nothing on this trace."),
      );
    } catch (problem) {
      asked = false;
      fill(inside, el("p.problem", {}, problem.message));
    }
  }
  return details;
}

function explained(found, row) {
  const own = (found.steps ?? []).map((step) => step.text).join("\n");
  const importance = found.importance;
  const edits = Object.entries(found.edits ?? {});
  return [
    own !== row.steps.map((step) => step.text).join("\n")
      ? [
          el("p.note", {}, "The model answered again for the explanation, with other steps than above:"),
          lines(found.steps ?? [], found.answer),
        ]
      : null,
    importance
      ? el(
          "p",
          {},
          "How much the answer hangs on each step: ",
          importance.map((share, place) => [place ? ", " : "", `${place + 1}: ${share?.toFixed(2) ?? "–"}`]),
        )
      : null,
    edits.map(([name, edit]) => el("section.edit", {}, el("h4", {}, edited(name)), rewritten(edit, found))),
    importance || edits.length ? null : el("p.note", {}, "The explanation has no edits of this trace."),
  ];
}

function rewritten(edit, found) {
  const given = edit.given ?? 0;
  const isOwn = (step, place) => step.text === found.steps?.[place]?.text && step.type === found.steps[place].type;
  const made = (edit.steps ?? []).map((step, place) =>
    line(step, place < given ? el("span.note", {}, isOwn(step, place) ? "as it was" : "edited") : null),
  );
  if (edit.answer !== null && edit.answer !== undefined) {
    const mark = edit.answer === found.answer ? "as before" : "changed";
    made.push(
      line(
        { type: "answer", text: edit.answer },
        el("span.marks", {}, [
          typeof edit.rule === "string" ? el("span.note", {}, "the rule says ", inert(edit.rule)) : null,
          el("span.note", {}, mark),
          edit.outcome ? outcome(edit.outcome) : null,
        ]),
      ),
    );
  }
  return el("ol.trace", {}, made);
}
