// Ask, and change what was answered.

import * as api from "./api.js";
import { aligned, words } from "./diff.js";
import { layout } from "./ask_layout.js";
import { announce, el, fill, inert } from "./dom.js";
import { copyLink, download, picked } from "./share.js";
import * as tree from "./state.js";
import { insertion, panel } from "./step.js";
import { line, meter } from "./trace.js";
import { showVersions } from "./versions.js";

export function create(section, { model }) {
  let state = null; // the question and its versions (state.js)
  let writing = null; // {steps, answer, ids, stop} while the model writes
  let open = null; // {at, insert, node, end}: the step whose panel is open
  let checked = new Map(); // what replaying found
  let told = null; // the address that this view has written
  const parts = layout(section, model);
  const { form, question, options, constrained } = parts;

  // ---- the model writes -------------------------------------------------------------------------

  /** Have the model write a version; `keep` says how many steps stay those of the version that is shown. */
  async function write(path, more, what, keep = 0, own = []) {
    const stop = new AbortController();
    const base = tree.shown(state);
    writing = { steps: [], answer: null, ids: [], stop, given: null };
    close();
    problem(null);
    show();
    parts.stop.focus();
    let done = null;
    try {
      await api.stream(path, { ...asked(), ...more }, (event) => {
        if (event.done) done = event.done;
        else grow(event);
        show();
      }, stop.signal);
    } catch (error) {
      if (error.name !== "AbortError") problem(error);
    }
    const { ids, steps, answer, given } = writing;
    const stopped = { ids, steps, answer, answer_logprob: null, finish_reason: "stopped" };
    writing = null;
    if (done || ids.length > (given ?? 0)) {
      const version = done ?? stopped;
      for (let i = 0; i < version.steps.length; i++) {
        const before = own[i] ?? (i < keep ? base?.steps[i] : null);
        if (before && before.text === version.steps[i].text) version.steps[i] = { ...before, type: version.steps[i].type };
      }
      tree.add(state, { what, given: given ?? 0, ids: version.ids, steps: version.steps, answer: version.answer,
        answer_logprob: version.answer_logprob, finish: version.finish_reason });
      announce(version.answer === null ? "no answer" : `the answer is: ${version.answer}`);
    }
    changed();
  }

  function grow({ ids, steps, answer }) {
    writing.given ??= ids.length;
    writing.ids.push(...ids);
    for (const { index, ...step } of steps) {
      if (index > 0 && index === writing.steps.length) announce(said(writing.steps[index - 1]));
      writing.steps[index] = step;
    }
    writing.answer = answer;
  }

  const said = (step) => `${step.type}: ${step.text}`;
  const asked = () => ({ question: state.question, options: state.options.length ? state.options : null, constrained: state.constrained });

  function ask() {
    const listed = options.value.split("\n").map((option) => option.trim()).filter(Boolean);
    if (!question.value.trim()) return question.focus();
    state = tree.fresh(model.name, question.value.trim(), listed, constrained.checked);
    told = null;
    write("ask", {}, "asked");
  }

  function change(edits, what) {
    const at = Math.min(...edits.map((edit) => edit.step));
    const own = [];
    for (const edit of edits) if (!edit.remove) own[edit.step] = { text: edit.text, logprob: null, by: "you" };
    write("continue", { ids: tree.shown(state).ids, edits }, what, at, own);
  }

  function take(wording, what) {
    const own = [];
    own[open.at] = { text: wording.text, logprob: wording.logprob };
    write("continue", { ids: wording.ids }, what, open.at, own);
  }

  const goOn = () => write("continue", { ids: tree.shown(state).ids }, "written on", Infinity);

  /** Have the model write all versions again, each from what was given, and compare. */
  async function replay() {
    checked = new Map();
    const stop = new AbortController();
    writing = { stop, replaying: true };
    problem(null);
    show();
    try {
      for (const [at, version] of state.versions.entries()) {
        let done = null;
        const given = version.ids.slice(0, version.given);
        const take = (event) => (done = event.done ?? done);
        await (given.length ? api.stream("continue", { ...asked(), ids: given }, take, stop.signal) : api.stream("ask", asked(), take, stop.signal));
        checked.set(at, done && tree.isSame(version, done) ? "same" : "other");
        show();
      }
      const others = [...checked.values()].filter((found) => found === "other").length;
      note(others ? `${others} of ${checked.size} versions came out otherwise.` : `All versions (${checked.size}) came out exactly the same.`);
    } catch (error) {
      if (error.name !== "AbortError") problem(error);
    }
    writing = null;
    show();
  }

  // ---- what is shown ----------------------------------------------------------------------------

  function show() {
    const version = tree.shown(state);
    parts.work.hidden = !version && !writing;
    parts.stop.hidden = !writing;
    parts.submit.disabled = Boolean(writing);
    parts.undo.disabled = Boolean(writing) || tree.undone(state) < 0;
    parts.redo.disabled = Boolean(writing) || tree.redone(state) < 0;
    for (const button of parts.sharing.querySelectorAll("button")) button.disabled = Boolean(writing) || !version;
    parts.work.classList.toggle("writing", Boolean(writing));
    if (!state) return;
    fill(parts.asked, inert(state.question), state.options.map((option, i) => el("span.option", {}, `${String.fromCharCode(65 + i)}. `, inert(option))));
    showVersions(parts.tree, state, checked, (at) => go(at));
    if (writing && !writing.replaying) fill(parts.trace, lines(writing, null));
    else if (version) fill(parts.trace, lines(version, parts.marks.checked ? tree.before(state) : null));
    parts.goOn.hidden = Boolean(writing) || !version || version.finish === "stop";
    if (!writing) parts.why.textContent = { length: "The answer reached the most tokens that this model takes.", stopped: "You stopped it here." }[version?.finish] ?? "";
  }

  function lines(version, before) {
    const rows = before ? aligned(before.steps, version.steps) : version.steps.map((step) => [null, step]);
    let at = 0;
    const shown = rows.map(([old, step]) => (step ? stepLine(version, step, at++, old, before) : gone(old)));
    if (version.answer !== null) shown.push(answerLine(version, before));
    return shown;
  }

  function stepLine(version, step, at, old, before) {
    const text = before && old ? marked(old.text, step.text) : before ? el("ins", {}, inert(step.text)) : inert(step.text);
    const typed = before && old && old.type !== step.type ? el("span.was", {}, "was ", inert(old.type)) : null;
    const sure = step.by === "you" ? el("span.meter", {}, "yours") : meter(step.logprob);
    return clickable(line({ ...step, text }, typed, sure), at, `step ${at + 1}, ${said(step)}`);
  }

  function answerLine(version, before) {
    const text = before ? marked(before.answer ?? "", version.answer) : inert(version.answer);
    return clickable(line({ type: "answer", text }, meter(version.answer_logprob)), version.steps.length, `the answer: ${version.answer}`);
  }

  const gone = (step) => el("li.step.gone", {}, el("span.badge", {}, "gone"), el("del.text", {}, inert(step.text)));

  function marked(old, now) {
    const tags = { same: "span", added: "ins", removed: "del" };
    return el("bdi", {}, words(old, now).map(({ kind, text }) => el(tags[kind], {}, text)));
  }

  /** A line whose text is a button that opens its panel. */
  function clickable(item, at, name) {
    if (writing || !model.editable) return item;
    const isOpen = open?.at === at;
    const text = item.querySelector(".text");
    const button = el("button.text", { type: "button", "data-at": at, "aria-expanded": String(isOpen), title: "change this step" }, ...text.childNodes);
    button.append(el("span.unseen", {}, `, change ${name.split(",")[0].split(":")[0]}`));
    text.replaceWith(button);
    item.addEventListener("click", (event) => {
      if (!event.target.closest(".panel") && !getSelection().toString()) toggle(at);
    });
    if (isOpen) item.append(open.node);
    return item;
  }

  function toggle(at, insert = false) {
    if (open && open.at === at && open.insert === insert) return close(true);
    open?.end();
    const version = tree.shown(state);
    const act = { change, take, fail: problem, close: () => close(true), insert: (place) => toggle(place, true) };
    const made = insert ? insertion(at, model, act) : panel(version, at, model, { ...asked(), ids: version.ids }, act);
    open = { at, insert, ...made };
    show();
    (open.node.querySelector("textarea") ?? open.node.querySelector("button")).focus();
  }

  function close(again = false) {
    if (!open) return;
    const { at } = open;
    open.end();
    open = null;
    if (!again) return;
    show();
    focusStep(at);
  }

  const buttons = () => [...parts.trace.querySelectorAll("button.text")];
  const focusStep = (at) => buttons().find((button) => Number(button.dataset.at) === at)?.focus();

  function move(by) {
    const all = buttons();
    const now = all.indexOf(document.activeElement);
    all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1)]?.focus();
  }

  function problem(error) {
    if (error?.name === "AbortError") return;
    parts.problem.hidden = !error;
    parts.problem.textContent = error?.message ?? "";
  }

  function note(text) {
    parts.note.textContent = text;
    announce(text);
  }

  // ---- versions and addresses -------------------------------------------------------------------

  function go(at) {
    if (writing || at < 0) return;
    close();
    tree.go(state, at);
    announce(`version ${at + 1}: ${tree.shown(state).what}`);
    changed();
  }

  /** After every change: show it, and put it into the address. */
  async function changed() {
    note("");
    show();
    if (!tree.shown(state)) return;
    const address = `#ask?state=${await tree.packed(state)}`;
    const isNew = told === null;
    told = address;
    if (isNew && location.hash.length > 1) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  function restore(read, source) {
    writing?.stop.abort();
    close();
    [state, checked] = [read, new Map()];
    question.value = state.question;
    options.value = state.options.join("\n");
    constrained.checked = state.constrained;
    parts.more.open = Boolean(state.options.length || state.constrained);
    show();
    const other = state.model === model.name ? "" : ` They were made with the model ${state.model}; this one is ${model.name}.`;
    note(`These versions come from the ${source}. Replay has the model write them again.${other}`);
  }

  async function load(text, source, unpack) {
    problem(null);
    try {
      restore(await unpack(text), source);
    } catch (error) {
      problem(error);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!writing) ask();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  const link = () => changed().then(() => copyLink(note));
  parts.stop.addEventListener("click", () => writing?.stop.abort());
  parts.undo.addEventListener("click", () => go(tree.undone(state)));
  parts.redo.addEventListener("click", () => go(tree.redone(state)));
  parts.goOn.addEventListener("click", goOn);
  parts.marks.addEventListener("change", show);
  parts.link.addEventListener("click", link);
  parts.save.addEventListener("click", () => download("versions.json", JSON.stringify(state, null, 1)));
  parts.load.addEventListener("click", async () => load(await picked(".json"), "file", tree.read));
  parts.replay.addEventListener("click", replay);
  const idle = (action) => () => { if (!writing && tree.shown(state)) action(); };

  return {
    keys: [
      ["/", "go to the question", () => question.focus()],
      ["j", "next step", () => move(1)],
      ["k", "step before", () => move(-1)],
      ["u", "undo: the version before", () => go(tree.undone(state))],
      ["r", "redo", () => go(tree.redone(state))],
      ["p", "replay: write all versions again, and compare", idle(replay)],
      ["l", "copy a link to all versions", idle(link)],
      ["Escape", "stop writing, or close the step", () => (writing ? writing.stop.abort() : close(true))],
    ],
    show(path, parameters) {
      const packed = parameters.get("state");
      if (packed && location.hash !== told) return load(packed, "address", tree.unpacked).then(() => (told = location.hash));
      if (parameters.get("q")) {
        question.value = parameters.get("q");
        options.value = parameters.getAll("option").join("\n");
        parts.more.open = Boolean(options.value);
        ask();
      } else if (!state) question.focus();
    },
  };
}
