// Ask, and change what was answered.

import { lines } from "./answer.js";
import { layout } from "./ask_layout.js";
import { announce, el, fill, inert } from "./dom.js";
import { copyLink, download, picked } from "./share.js";
import * as tree from "./state.js";
import { insertion, panel } from "./step.js";
import { showVersions } from "./versions.js";
import { Writing, replay } from "./writing.js";

const ENDS = {
  __proto__: null,
  length: "The answer reached the most tokens that this model takes.",
  stopped: "You stopped it here.",
};

export function create(section, { model }) {
  let state = null; // the question and its versions (state.js)
  let writing = null; // a `Writing` while the model writes, or {replays, stop}
  let open = null; // {at, insert, node, end}: the step whose panel is open
  let checked = new Map(); // what replaying found
  let told = null; // the address that this view has written
  const parts = layout(section, model);
  const { form, question, options, constrained } = parts;

  // ---- the model writes -------------------------------------------------------------------------

  /** Have the model write a version. Its first `keep` steps are those of the version that is shown, with what is known
   * of them; `own` has, by number, what else is known of steps. */
  async function write(path, more, what, keep = 0, own = []) {
    const steps = [...(tree.shown(state)?.steps.slice(0, keep) ?? [])];
    own.forEach((step, at) => (steps[at] = step));
    const left = open;
    close();
    problem(null);
    const mine = (writing = new Writing());
    show();
    parts.stop.focus();
    const version = await mine.run(path, { ...asked(), ...more }, () => mine === writing && show(), problem);
    if (mine !== writing) return; // other versions were opened meanwhile
    writing = null;
    if (version) {
      steps.forEach((known, at) => {
        const step = version.steps[at];
        if (step?.text === known.text) version.steps[at] = { ...step, logprob: known.logprob, by: known.by };
      });
      tree.add(state, { what, ...version });
      announce(version.answer === null ? "no answer" : `the answer is: ${version.answer}`);
    } else open = left; // with what was typed into it
    await changed();
    if (version) focusStep(keep);
    else focusPanel();
  }

  const asked = () => ({
    question: state.question,
    options: state.options.length ? state.options : null,
    constrained: state.constrained,
  });

  function ask() {
    if (!question.value.trim()) return question.focus();
    const listed = options.value.split("\n").map((option) => option.trim());
    state = tree.fresh(model.name, question.value.trim(), listed.filter(Boolean), constrained.checked);
    [told, checked] = [null, new Map()];
    writing?.stop(); // a link can ask while something is written
    write("ask", {}, "asked");
  }

  /** Edits of one step, as the server takes them. */
  function change(edits, what) {
    const own = [];
    for (const { step, text, remove } of edits) if (!remove) own[step] = { text, logprob: null, by: "you" };
    write("continue", { ids: tree.shown(state).ids, edits }, what, edits[0].step, own);
  }

  function take(wording, what) {
    const own = [];
    own[open.at] = { text: wording.text, logprob: wording.logprob };
    write("continue", { ids: wording.ids }, what, open.at, own);
  }

  const goOn = () => write("continue", { ids: tree.shown(state).ids }, "written on", Infinity);

  async function replayAll() {
    const under = new AbortController();
    const mine = { replays: true, stop: () => under.abort() };
    const found = (number, what) => {
      if (mine === writing) checked.set(number, what);
      show();
    };
    checked = new Map();
    problem(null);
    close();
    writing = mine;
    show();
    try {
      await replay(state.versions, asked(), tree.isSame, found, under.signal);
      const others = [...checked.values()].filter((what) => what === "other").length;
      const all = `All versions (${checked.size}) came out exactly the same.`;
      note(others ? `${others} of ${checked.size} versions came out otherwise.` : all);
    } catch (error) {
      problem(error);
    }
    if (mine === writing) writing = null;
    show();
  }

  // ---- what is shown ----------------------------------------------------------------------------

  function show() {
    const version = tree.shown(state);
    const isWriting = Boolean(writing);
    parts.work.hidden = !version && !isWriting;
    parts.work.classList.toggle("writing", isWriting && !writing.replays);
    parts.stop.hidden = !isWriting;
    parts.submit.disabled = isWriting;
    parts.undo.disabled = isWriting || tree.undone(state) < 0;
    parts.redo.disabled = isWriting || tree.redone(state) < 0;
    for (const button of parts.sharing.querySelectorAll("button")) button.disabled = isWriting || !version;
    parts.goOn.hidden = isWriting || !version || version.finish !== "stopped";
    parts.why.textContent = isWriting ? "" : (ENDS[version?.finish] ?? "");
    if (!state) return;
    const letter = (i) => `${String.fromCharCode(65 + i)}. `;
    const listed = state.options.map((option, i) => el("span.option", {}, letter(i), inert(option)));
    fill(parts.asked, inert(state.question), listed);
    showVersions(parts.tree, state, checked, go);
    if (isWriting && !writing.replays) fill(parts.trace, lines(writing, null));
    else if (version) {
      const before = parts.marks.checked ? tree.before(state) : null;
      fill(parts.trace, lines(version, before, open, !isWriting && model.editable ? toggle : null));
    }
  }

  function toggle(at, insert = false) {
    if (open && open.at === at && open.insert === insert) return close(true);
    open?.end();
    const version = tree.shown(state);
    const act = { change, take, fail: problem, close: () => close(true), insert: (place) => toggle(place, true) };
    const made = insert ? insertion(at, model, act) : panel(version, at, model, { ...asked(), ids: version.ids }, act);
    open = { at, insert, ...made };
    show();
    focusPanel();
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

  const focusPanel = () => (open?.node.querySelector("textarea") ?? open?.node.querySelector("button"))?.focus();

  const buttons = () => [...parts.trace.querySelectorAll("button.text")];
  const focusStep = (at) =>
    buttons()
      .find((button) => Number(button.dataset.at) === at)
      ?.focus();

  function move(by) {
    const all = buttons();
    const now = all.indexOf(document.activeElement);
    all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1)]?.focus();
  }

  function problem(error) {
    if (error?.name === "AbortError") return;
    parts.problem.hidden = !error;
    parts.problem.textContent = error?.message ?? "";
    if (error) parts.problem.scrollIntoView({ block: "nearest" });
  }

  function note(text) {
    parts.note.textContent = text;
    if (text) announce(text);
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
    const isAnother = told === null && location.hash.includes("state="); // so that Back leads to the question before
    told = address;
    if (section.hidden) return; // `show` will put it there
    if (isAnother) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  function restore(read, source) {
    writing?.stop();
    close();
    [state, checked, writing] = [read, new Map(), null];
    question.value = state.question;
    options.value = state.options.join("\n");
    constrained.checked = state.constrained;
    parts.more.open = Boolean(state.options.length || state.constrained);
    show();
    const other =
      state.model === model.name ? "" : ` They were made with the model ${state.model}; this one is ${model.name}.`;
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
  parts.stop.addEventListener("click", () => writing?.stop());
  parts.undo.addEventListener("click", () => go(tree.undone(state)));
  parts.redo.addEventListener("click", () => go(tree.redone(state)));
  parts.goOn.addEventListener("click", goOn);
  parts.marks.addEventListener("change", show);
  parts.link.addEventListener("click", link);
  parts.save.addEventListener("click", () => download("versions.json", JSON.stringify(state, null, 1)));
  parts.load.addEventListener("click", async () => load(await picked(".json"), "file", tree.read));
  parts.replay.addEventListener("click", replayAll);
  const idle = (action) => () => {
    if (!writing && tree.shown(state)) action();
  };

  return {
    keys: [
      ["/", "go to the question", () => question.focus()],
      ["j", "next step", () => move(1)],
      ["k", "step before", () => move(-1)],
      ["u", "undo: the version before", () => go(tree.undone(state))],
      ["r", "redo", () => go(tree.redone(state))],
      ["p", "replay: write all versions again, and compare", idle(replayAll)],
      ["l", "copy a link to all versions", idle(link)],
      ["Escape", "stop writing, or close the step", () => (writing ? writing.stop() : close(true))],
    ],
    show(path, parameters) {
      const packed = parameters.get("state");
      if (packed && location.hash !== told)
        return load(packed, "address", tree.unpacked).then(() => (told = location.hash));
      if (parameters.get("q")) {
        question.value = parameters.get("q");
        options.value = parameters.getAll("option").join("\n");
        parts.more.open = Boolean(options.value);
        ask();
      } else if (!state) question.focus();
      else if (told) history.replaceState(null, "", told);
    },
  };
}
