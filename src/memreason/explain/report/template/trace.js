"use strict";
// Draws one trace. Texts of models and data reach the page as text nodes only, never as HTML.

const DATA = JSON.parse(document.getElementById("data").textContent);
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function glyph(name) {
  const space = "http://www.w3.org/2000/svg";
  const shape = document.getElementById("g-" + name) ? name : "step";
  const picture = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  for (const [key, value] of [["class", "glyph"], ["viewBox", "-7 -7 14 14"], ["aria-hidden", "true"]])
    picture.setAttribute(key, value);
  use.setAttribute("href", "#g-" + shape);
  use.setAttribute("class", shape);
  picture.append(use);
  return picture;
}

const named = (character) => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

/** The parts of a text: characters that order or hide others are named instead of obeyed. */
function parts(text) {
  return Array.from(String(text)).map((character) =>
    HIDDEN.test(character) ? element("span", { class: "control" }, named(character)) : character);
}

/** A name of a cause, an outcome, … in words; one that no dictionary holds is text of somebody, and as inert. */
function spoken(kind, name) {
  const known = (DATA.words[kind] || {})[name] || String(name).replaceAll("_", " ");
  return Array.from(known, (character) => HIDDEN.test(character) ? named(character) : character).join("");
}

const said = (text) => element("bdi", {}, parts(text));

/** A number with its place in explanation.json. Forms: "number", "share" (in per cent), "chance" (from its logarithm). */
function number(value, form, place) {
  const share = form === "chance" ? Math.exp(value) : value;
  const surely = form === "chance" && share > 0.99 && share < 1; // "100%" would be too much
  const shown = form === "number" ? share.toFixed(2) : surely ? ">99%" : (100 * share).toFixed(0) + "%";
  return element("data", { value, "data-key": "/traces/" + place.join("/"), "data-value": value, "data-form": form },
    shown);
}

const MARKS = { same: "", removed: "del", added: "ins" };

/** The new text with what was taken out and put in marked. */
function difference(before, after) {
  const made = element("bdi", {});
  let [end, marked] = [" ", ""];
  const write = (text, name) => {
    if (!text) return;
    if ((name || marked) && /[^\s([{\/-]$/.test(end) && /^[\p{L}\p{N}]/u.test(text)) made.append(" ");
    made.append(...(name ? [element(name, {}, parts(text.trimEnd())), /\s$/.test(text) ? " " : ""] : parts(text)));
    [end, marked] = [text, name];
  };
  for (const { kind, text } of words(before, after)) write(text, MARKS[kind]);
  return made;
}

function typeOf(name) {
  const known = name === "memory" || name === "reason" ? name : "step";
  return element("span", { class: "type " + known }, glyph(known), said(name));
}

function truthOf(truth, kind) {
  if (truth === undefined || truth === null) return element("span", { class: "truth" }, "? not judged");
  const words = kind === "reason" ? ["✓ valid", "✗ not valid"] : ["✓ true", "✗ false"];
  return element("span", { class: "truth " + (truth ? "yes" : "no") }, words[truth ? 0 : 1]);
}

function sureness(logprob, place) {
  if (logprob === undefined || logprob === null) return null;
  const meter = element("meter", { min: 0, max: 1, value: Math.exp(logprob), "aria-hidden": "true" });
  return element("span", { class: "measure" }, "sure ", meter, number(logprob, "chance", place));
}

function stepOf(trace, index, place) {
  const step = trace.steps[index];
  const importance = (trace.importance || [])[index];
  const first = trace.first_wrong === index;
  const says = step.kind && step.kind !== step.type && ["memory", "reason"].includes(step.type);
  return element("li", { class: "step " + step.type.replace(/\W/g, "") + (first ? " first" : "") },
    typeOf(step.type),
    element("span", { class: "text" }, said(step.text)),
    element("span", { class: "marks" },
      first ? element("strong", { class: "flag" }, "first wrong step") : null,
      truthOf(step.truth, step.kind || step.type),
      says ? element("span", {}, "says a " + spoken("kind", step.kind)) : null,
      sureness(step.logprob, [place, "steps", index, "logprob"]),
      importance === undefined || importance === null ? null
        : element("span", { class: "measure" }, "importance ", number(importance, "number", [place, "importance", index]))));
}

function answerOf(trace, place) {
  const truth = trace.answer_truth;
  const first = trace.first_wrong === trace.steps.length;
  return element("li", { class: "step answer" + (first ? " first" : "") },
    element("span", { class: "type step" }, glyph("answer"), "answer"),
    element("span", { class: "text" }, trace.answer === undefined ? "no answer line" : said(trace.answer)),
    element("span", { class: "marks" },
      first ? element("strong", { class: "flag" }, "first wrong step") : null,
      truth === undefined ? null
        : element("span", { class: "truth " + (truth ? "yes" : "no") }, truth ? "✓ follows" : "✗ does not follow"),
      sureness(trace.answer_logprob, [place, "answer_logprob"])));
}

function editOf(trace, name) {
  const edit = trace.edits[name];
  const steps = edit.steps || [];
  const list = element("ol", { class: "steps" });
  let at = 0; // place in the edited answer
  for (const [old, now] of aligned(trace.steps, steps)) {
    const step = now ?? old;
    const text = now ? difference(old?.text ?? "", now.text) : element("bdi", {}, element("del", {}, parts(old.text)));
    const origin = !now ? "left out" : at++ < edit.given ? "given" : "written anew";
    const was = old && old.type !== step.type ? "was " + spoken("type", old.type) : null;
    list.append(element("li", { class: "step " + step.type.replace(/\W/g, "") },
      typeOf(step.type), element("span", { class: "text" }, text), element("span", { class: "marks" }, was && element("span", {}, was), element("span", {}, origin))));
  }
  const rule = edit.rule === undefined || edit.rule === null ? null
    : [", the rule says ", element("b", {}, said(edit.rule))];
  return element("section", { class: "edit" },
    element("h4", {}, spoken("edit", name)),
    list,
    element("p", {}, glyph(edit.outcome), " answer ", difference(trace.answer ?? "", edit.answer ?? ""),
      " (" + spoken("outcome", edit.outcome) + ")", rule));
}

/** The step map: for each span (row) what share of its attention went to each span before it (column). */
function mapOf(attention, place) {
  const names = attention.spans.map((span) => [glyph(span.type), " ", said(span.name)]);
  const head = element("tr", {}, element("td", {}), names.map((name) =>
    element("th", { scope: "col" }, name.map((part) => part.cloneNode ? part.cloneNode(true) : part))));
  const rows = attention.step_map.map((row, i) => element("tr", {},
    element("th", { scope: "row" }, names[i]),
    names.map((_, j) => !row || j > i || typeof row[j] !== "number" ? element("td", {})
      : element("td", { class: "s" + Math.round(6 * Math.min(1, Math.max(0, row[j]))) },
          number(row[j], "share", [place, "attention", "step_map", i, j])))));
  return element("div", { class: "scroll" }, element("table", { class: "heat map" },
    element("caption", {}, "Read along a row: where that part looks, mean over layers and heads"),
    element("thead", {}, head), element("tbody", {}, rows)));
}

/** Details whose inside is drawn when they are opened first. */
function details(title, draw) {
  const made = element("details", {}, element("summary", {}, title));
  made.addEventListener("toggle", () => made.children.length > 1 || made.append(...draw()), { once: true });
  return made;
}

function drawTrace(trace, place) {
  const badge = trace.cause ? [glyph(trace.cause), spoken("cause", trace.cause)]
    : trace.grounds ? [glyph(trace.grounds === "unreadable" ? "unsure" : trace.grounds), spoken("grounds", trace.grounds)]
      : [];
  const options = (trace.options || []).map((option, index) =>
    element("li", {}, element("b", {}, String.fromCharCode(65 + index)), " ", said(option)));
  const edits = Object.keys(trace.edits || {});
  const before = trace.before && element("span", {}, "before training: ",
    trace.before.answer === null || trace.before.answer === undefined ? "no answer" : said(trace.before.answer),
    " (" + spoken("outcome", trace.before.outcome) + ")");
  return element("li", { class: "trace" },
    element("h3", {}, said(trace.question)),
    options.length ? element("ul", { class: "options" }, options) : null,
    element("p", { class: "badges" },
      element("span", { class: "badge" }, glyph(trace.outcome), spoken("outcome", trace.outcome)),
      badge.length ? element("span", { class: "badge" }, badge) : null,
      element("span", {}, "right answer: ", said(trace.gold)),
      before,
      element("a", { class: "id", href: "#" + new URLSearchParams({ id: trace.id }) }, said(trace.id))),
    element("ol", { class: "steps" }, trace.steps.map((_, index) => stepOf(trace, index, place)), answerOf(trace, place)),
    edits.length ? details("What if? " + edits.length + " edits", () => edits.map((name) => editOf(trace, name))) : null,
    trace.attention ? details("Where it looked", () => [mapOf(trace.attention, place)]) : null);
}
