// The browser of traces: filters live in the URL's hash (#cause=false_memory&family=area), so a view is a link.

const PAGE = 20;
const SELECTS = ["outcome", "cause", "grounds", "family", "split"];
const facts = new Map(Object.entries(DATA.facts).map(([fact, ids]) => [fact, new Set(ids)]));

const plain = (answer) => String(answer ?? "").trim().toLowerCase();
const EFFECTS = {
  changed: (trace, edit) => plain(edit.answer) !== plain(trace.answer),
  repaired: (trace, edit) => trace.outcome !== "correct" && edit.outcome === "correct",
  broken: (trace, edit) => trace.outcome === "correct" && edit.outcome !== "correct",
};

/** Name in the hash → whether a trace belongs to a value. */
const FILTERS = {
  q: (trace, text) => searched(trace).includes(text.toLowerCase()),
  id: (trace, id) => trace.id === id,
  fact: (trace, fact) => (facts.get(fact) || new Set()).has(trace.id),
  length: (trace, length) => trace.steps.length === Number(length),
  at: (trace, value) => {
    const [, position, type] = value.match(/^(\d+):(.*)$/) || [];
    return type !== undefined && (trace.steps[position - 1] || {}).type === type;
  },
  confidence: (trace, value) => {
    const [low, high] = value.split(":").map(Number);
    const inside = (sure) => sure > low - 1e-9 && sure < high + 1e-9;
    return trace.steps.some((step) => step.kind === "memory" && typeof step.truth === "boolean"
      && typeof step.logprob === "number" && inside(Math.exp(step.logprob)));
  },
  edit: (trace, value) => {
    const [name, effect] = value.split(":");
    const edit = (trace.edits || {})[name];
    return Boolean(edit) && (!effect || (Object.hasOwn(EFFECTS, effect) && EFFECTS[effect](trace, edit)));
  },
};
for (const name of SELECTS) FILTERS[name] = (trace, value) => trace[name] === value;

function searched(trace) {
  trace.searched ??= [trace.id, trace.question, trace.answer, ...trace.steps.map((step) => step.text)]
    .join("\n").toLowerCase();
  return trace.searched;
}

const $ = (id) => document.getElementById(id);
const form = $("filters");
let chosen = new Map();
let found = [];

/** The filters that the address names; null where it names a place of the page instead. */
function filtersOf(hash) {
  if (hash.length > 1 && !hash.includes("=")) return null;
  return new Map([...new URLSearchParams(hash.slice(1))].filter(([name, value]) => value && Object.hasOwn(FILTERS, name)));
}

function fillSelects() {
  for (const name of SELECTS) {
    const values = [...new Set(DATA.traces.map((trace) => trace[name]).filter(Boolean))].sort();
    const select = form.elements[name];
    select.append(element("option", { value: "" }, "any"));
    for (const value of values) select.append(element("option", { value }, spoken(name, value)));
    select.parentElement.hidden = values.length === 0;
  }
}

function chip(name, value) {
  const remove = element("button", { type: "button", class: "chip" },
    name + ": ", said(value), " ", element("span", { "aria-hidden": "true" }, "×"));
  remove.setAttribute("aria-label", "Remove the filter " + name);
  remove.addEventListener("click", () => {
    chosen.delete(name);
    write();
    $("h-traces").focus();
  });
  return remove;
}

function apply() {
  for (const field of form.elements) if (field.name) field.value = chosen.get(field.name) || "";
  const tests = [...chosen].map(([name, value]) => (trace) => FILTERS[name](trace, value));
  found = DATA.traces.map((trace, place) => [trace, place]).filter(([trace]) => tests.every((test) => test(trace)));
  $("status").textContent = found.length === DATA.traces.length
    ? "All " + found.length + " answers." : found.length + " of " + DATA.traces.length + " answers.";
  $("chips").replaceChildren(...[...chosen].filter(([name]) => !form.elements[name]).map((each) => chip(...each)));
  $("list").replaceChildren();
  more();
}

function more() {
  const start = $("list").children.length;
  $("list").append(...found.slice(start, start + PAGE).map(([trace, place]) => drawTrace(trace, place)));
  $("more").hidden = $("list").children.length >= found.length;
  return $("list").children[start];
}

/** Put the filters into the address, without another entry in the history for each letter. */
function write() {
  history.replaceState(null, "", "#" + (chosen.size ? new URLSearchParams([...chosen]) : "traces"));
  apply();
}

function read(jump) {
  const filters = filtersOf(location.hash);
  if (filters === null || (!location.hash && jump)) return;
  chosen = filters;
  apply();
  if (chosen.size) $("h-traces").focus();
}

form.addEventListener("input", () => {
  for (const field of form.elements) if (field.name) field.value ? chosen.set(field.name, field.value) : chosen.delete(field.name);
  write();
});
form.addEventListener("reset", (event) => {
  event.preventDefault();
  chosen.clear();
  write();
});
form.addEventListener("submit", (event) => event.preventDefault());
$("more").addEventListener("click", () => {
  const first = more();
  first.setAttribute("tabindex", "-1");
  first.focus();
});
window.addEventListener("hashchange", () => read(true));

// Light or dark: as the system has it, until the button says otherwise.
const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  $("theme").textContent = dark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
}
$("theme").addEventListener("click", () => theme(dark() ? "light" : "dark"));
theme();

fillSelects();
apply();
read(false);
