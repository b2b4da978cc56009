// What was asked, and all versions of the answer: a tree, which fits into a link or a file.
//
// A version is {parent, what, given, ids, steps, answer, answer_logprob, finish}: the first `given` of its `ids` were
// given, and the model wrote the others greedily. So it can be written again from these alone (`replay`).

import { Problem } from "./api.js";

const FORMAT = 1;
const MOST = { versions: 1000, steps: 1000, ids: 100_000, text: 100_000, bytes: 20_000_000 };

/** A question without an answer. */
export function fresh(model, question, options, constrained) {
  return { format: FORMAT, model, question, options, constrained, versions: [], current: -1 };
}

/** The version that is shown, or null. */
export function shown(state) {
  return state?.versions[state.current] ?? null;
}

/** The version before the one that is shown, or null. */
export function before(state) {
  const now = shown(state);
  return now && now.parent >= 0 ? state.versions[now.parent] : null;
}

/** Add a version behind the one that is shown, and show it. */
export function add(state, version) {
  state.versions.push({ ...version, parent: state.current });
  go(state, state.versions.length - 1);
}

/** Show version number `at`; redo leads back along the way to it. */
export function go(state, at) {
  state.current = at;
  for (let i = at; i >= 0; i = state.versions[i].parent) {
    const parent = state.versions[i].parent;
    if (parent >= 0) state.versions[parent].next = i;
  }
}

/** Number of the version that undo leads to, or -1. */
export function undone(state) {
  return shown(state)?.parent ?? -1;
}

/** Number of the version that redo leads to, or -1. */
export function redone(state) {
  return shown(state)?.next ?? -1;
}

/** Numbers of the versions that follow version `at`; -1: those that follow none. */
export function children(state, at) {
  return state.versions.flatMap((version, i) => (version.parent === at ? [i] : []));
}

/** Whether an answer that was `written` again equals a version; of one that was stopped, the beginning counts. */
export function isSame(version, written) {
  const length = version.ids.length;
  const ids = version.finish === "stopped" ? written.ids.slice(0, length) : written.ids;
  const texts =
    version.finish === "stopped" ||
    (version.answer === written.answer &&
      version.steps.length === written.steps.length &&
      version.steps.every((step, i) => step.text === written.steps[i].text && step.type === written.steps[i].type));
  return texts && ids.length === length && version.ids.every((id, i) => id === ids[i]);
}

// ---- as a link ------------------------------------------------------------------------------------

/** The state as text for an address: JSON, deflated, in base64url. */
export async function packed(state) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(state)));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The state in a text of `packed`. Throws Problem. */
export async function unpacked(text) {
  let json;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
    json = new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes));
  } catch {
    throw new Problem("this link is not whole; perhaps its end was cut off");
  }
  return read(json);
}

async function through(stream, bytes) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const chunks = [];
  for (let size = 0; size <= MOST.bytes;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
    size += value.length;
  }
  throw new Problem("these versions are too long for a link");
}

/** The state in a text of JSON, which can come from anywhere. Throws Problem. */
export function read(json) {
  let state;
  try {
    state = JSON.parse(json);
  } catch {
    throw new Problem("this is no JSON file of versions");
  }
  if (state?.format !== FORMAT) throw new Problem("this is no file of versions that this page can read");
  const whole =
    isText(state.model) &&
    isText(state.question) &&
    isList(state.options, 26, isText) &&
    typeof state.constrained === "boolean" &&
    isList(state.versions, MOST.versions, (version, at) => isVersion(version, at, state.versions.length)) &&
    state.versions.length > 0 &&
    isWithin(state.current, 0, state.versions.length);
  if (!whole) throw new Problem("something in these versions is not as it should be");
  const { format, model, question, options, constrained, versions, current } = state;
  return { format, model, question, options, constrained, versions, current };
}

function isVersion(version, at, count) {
  return (
    isWithin(version?.parent, -1, at) &&
    (version.next === undefined || isWithin(version.next, at + 1, count)) &&
    isText(version.what) &&
    isList(version.ids, MOST.ids, Number.isInteger) &&
    isWithin(version.given, 0, version.ids.length + 1) &&
    isList(version.steps, MOST.steps, isStep) &&
    isNullOr(version.answer, isText) &&
    isNullOr(version.answer_logprob, Number.isFinite) &&
    isText(version.finish)
  );
}

function isStep(step) {
  return (
    isText(step?.type) &&
    isText(step.text) &&
    isNullOr(step.logprob, Number.isFinite) &&
    isNullOr(step.by ?? null, isText)
  );
}

const isText = (value) => typeof value === "string" && value.length <= MOST.text;
const isWithin = (value, low, high) => Number.isInteger(value) && value >= low && value < high;
const isNullOr = (value, check) => value === null || check(value);
const isList = (value, most, check) =>
  Array.isArray(value) && value.length <= most && value.every((each, i) => check(each, i));
