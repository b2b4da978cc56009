// What can be done with one step: a panel below it.

import { post } from "./api.js";
import { announce, el, fill, inert, percent } from "./dom.js";
import { badge, colour, shareBar } from "./trace.js";

const MANY = 24; // wordings that are drawn

/** The panel of step number `at` of a version; `at` equal to the number of steps: that of the answer line.
 *
 * `ask` has what a request says about the question and the ids; `act` has what the buttons do: `change(edits, what)`,
 * `take(wording, what)`, `insert(at)`, `fail(error)`, `close()`. Returns {node, end}; `end` stops what is under way, and
 * the panel can be shown again. */
export function panel(version, at, model, ask, act) {
  const step = version.steps[at] ?? null;
  const now = step ?? { type: "answer", text: version.answer ?? "" };
  const name = step ? `step ${at + 1}` : "the answer";
  const place = el("div.wordings");
  let stop = new AbortController();

  async function drawn(n, type, seed) {
    return (await post("wordings", { ...ask, step: at, n, type, seed }, stop.signal)).wordings;
  }

  async function others() {
    fill(place, el("p.note", {}, "drawing wordings…"));
    try {
      const wordings = await drawn(MANY, types?.value || null, 0);
      showWordings(place, wordings, now, (wording) => act.take(wording, `${name}: another wording`));
      announce(`${wordings.length} wordings`);
    } catch (error) {
      fill(place);
      act.fail(error);
    }
  }

  async function again(event) {
    const button = event.currentTarget;
    button.disabled = true;
    fill(place);
    try {
      const [wording] = (await drawn(1, null, crypto.getRandomValues(new Uint32Array(1))[0])).filter(
        (each) => each.drawn,
      );
      if (wording && !isSame(wording, now)) return act.take(wording, `${name} sampled again`);
      const share = wording ? `, which comes in ${percent(wording.probability)} of the draws` : "";
      fill(place, el("p.note", { role: "status" }, `The same was drawn again${share}.`));
    } catch (error) {
      act.fail(error);
    } finally {
      button.disabled = false;
    }
  }

  const types =
    step && model.types.length > 1
      ? el(
          "select",
          { "aria-label": "Type of the wordings" },
          el("option", { value: "" }, "of any type"),
          model.types.map((type) => el("option", { value: type }, `of type ${type}`)),
        )
      : null;
  const actions = el(
    "div.actions",
    {},
    el("span.together", {}, el("button", { type: "button", onclick: others }, "Other wordings"), types),
    el("button", { type: "button", onclick: again }, "Sample again"),
    step && el("button", { type: "button", onclick: () => act.insert(at) }, "Add a step before"),
    step &&
      el(
        "button",
        { type: "button", onclick: () => act.change([{ step: at, remove: true }], `${name} removed`) },
        "Remove",
      ),
  );
  const form =
    step &&
    editor(step, name, model, act, (said) => {
      if (isSame(said, step)) return act.close();
      const type = said.type === step.type ? null : said.type; // one that the model made up cannot be asked for
      act.change([{ step: at, text: said.text, type }], said.text === step.text ? `${name} as ${said.type}` : `${name} edited`);
    });
  const node = framed(`Change ${name}`, act, form, actions, place, form ? null : closer(act));
  const end = () => {
    stop.abort();
    stop = new AbortController();
  };
  return { node, end };
}

/** The panel for a step of one's own before step number `at`. */
export function insertion(at, model, act) {
  const form = editor({ type: model.types[0], text: "" }, "the new step", model, act, (said) =>
    said.text ? act.change([{ step: at, insert: true, ...said }], `a step put before step ${at + 1}`) : act.close(),
  );
  return { node: framed("A new step", act, form), end() {} };
}

function framed(label, act, ...parts) {
  const node = el("div.panel", { role: "group", "aria-label": label }, parts);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    act.close();
  });
  return node;
}

const closer = (act) => el("button.quiet", { type: "button", onclick: () => act.close() }, "Close");

/** Type and text of a step; `done({type, text})` is called when they are to be taken. */
function editor(step, name, model, act, done) {
  const text = el("textarea", { rows: 2, "aria-label": `Text of ${name}`, dir: "auto" });
  text.value = step.text;
  const known = model.types.includes(step.type) ? model.types : [...model.types, step.type];
  const types = known.map((type) =>
    el(
      `label.type.${colour(type)}`,
      {},
      el("input", { type: "radio", name: "type", value: type, checked: type === step.type }),
      inert(type),
    ),
  );
  const form = el(
    "form.editor",
    {},
    known.length > 1 && el("fieldset", {}, el("legend.unseen", {}, `Type of ${name}`), types),
    text,
    el("div.actions", {}, el("button.primary", {}, "Write on from here"), closer(act)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    done({ type: form.elements.type?.value ?? step.type, text: text.value.trim().replace(/\s+/g, " ") });
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  return form;
}

const isSame = (one, other) => one.type === other.type && one.text === other.text;

function showWordings(place, wordings, now, take) {
  const most = Math.max(...wordings.map((wording) => wording.probability), 1e-9);
  const row = (wording) => {
    const same = isSame(wording, now);
    return el(
      "li",
      {},
      el(
        `button.wording.${colour(wording.type)}`,
        { type: "button", disabled: same, onclick: () => take(wording) },
        badge(wording.type),
        el("span.text", {}, inert(wording.text), same ? el("span.note", {}, " (as it is)") : null),
        shareBar(wording.probability, "how likely the model is to write just this here", most),
      ),
    );
  };
  fill(place, el("p.note", {}, "Its likely wordings, and how likely each is:"), el("ol", {}, wordings.map(row)));
}
