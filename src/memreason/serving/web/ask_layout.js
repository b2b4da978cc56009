// The parts of the view that asks.

import { el } from "./dom.js";

/** Put the parts into `section`, and give them by name. */
export function layout(section, model) {
  const parts = {};
  const button = (name, label, more = {}) => (parts[name] = el("button", { type: "button", ...more }, label));
  parts.question = el("textarea", {
    id: "question",
    rows: 2,
    dir: "auto",
    placeholder: "Is Nairobi in the same continent as Paris?",
  });
  parts.options = el("textarea", { id: "options", rows: 3, dir: "auto", placeholder: "one on each line" });
  parts.constrained = el("input", { type: "checkbox" });
  parts.more = el(
    "details",
    {},
    el("summary", {}, "Options"),
    el("label", { for: "options" }, "Answers to choose from, if it is a multiple-choice question"),
    parts.options,
    el("label.check", {}, parts.constrained, " only well-formed answers are possible"),
  );
  parts.submit = el("button.primary", {}, "Ask");
  parts.load = el("button.quiet", { type: "button" }, "Open JSON…");
  button("stop", "Stop", { hidden: true });
  parts.problem = el("p.problem", { role: "alert", hidden: true });
  parts.form = el(
    "form.question",
    {},
    el("label", { for: "question" }, "Question"),
    parts.question,
    parts.more,
    el("div.actions", {}, parts.submit, parts.stop, parts.load),
  );
  parts.asked = el("h2", {});
  parts.marks = el("input", { type: "checkbox", checked: true });
  parts.trace = el("ol.trace", { "aria-label": "The answer, step by step" });
  parts.why = el("p.note");
  button("undo", "Undo");
  button("redo", "Redo");
  button("goOn", "Write on", { hidden: true });
  button("link", "Copy link");
  button("save", "Save as JSON");
  button("replay", "Replay");
  parts.tree = el("div.tree");
  parts.note = el("p.note.status");
  parts.sharing = el("div.actions", {}, parts.replay, parts.link, parts.save);
  const hint = model.editable
    ? "Press a step to change it. Only what comes after is written anew."
    : "Answers of this model begin with a plan of all steps, so single steps cannot be changed.";
  parts.work = el(
    "div.work",
    { hidden: true },
    el(
      "div.answering",
      {},
      parts.asked,
      el("div.actions.tools", {}, parts.undo, parts.redo, el("label.check", {}, parts.marks, " mark what changed")),
      parts.trace,
      parts.why,
      parts.goOn,
      el("p.note", {}, hint),
    ),
    el("aside", { "aria-label": "Versions" }, el("h2", {}, "Versions"), parts.tree, parts.sharing, parts.note),
  );
  section.append(parts.form, parts.problem, parts.work);
  return parts;
}
