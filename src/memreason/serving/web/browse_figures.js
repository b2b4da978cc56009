// Figures of a run; each leads to the traces that it counts.

import { el, inert, rate } from "./dom.js";
import { called, edited, meaning } from "./browse_names.js";

const MOST_FACTS = 8;

/** The figures of a run. `link(changes)` gives the address of the list with these filters. */
export function figures(run, split, link) {
  const { splits, overall, errors, right, families } = run.figures;
  const within = () => (split ? [" in ", inert(split)] : "");
  return el("div.figures", {}, [
    el("div.stack", {}, [
      panel("Accuracy", accuracies(splits, overall, link)),
      run.judged
        ? panel(
            ["What went wrong", within()],
            counts("cause", errors, link) ?? el("p.note", {}, "No answer is wrong."),
            run.first_fault
              ? el(
                  "p.note",
                  {},
                  "An older version judged these traces: a cause is the first fault, whether it changed the answer or not.",
                )
              : null,
            Object.keys(right).length
              ? [el("h3", {}, "What right answers rest on"), counts("grounds", right, link)]
              : null,
          )
        : panel(
            "What went wrong",
            el("p.note", {}, "No judge has read the steps of these traces, so that no causes are known."),
          ),
      run.explanation ? null : panel("Explanation", unexplained(run)),
    ]),
    Object.keys(families).length ? panel(["By kind of question", within()], byFamily(families, link)) : null,
    run.explanation ? explanation(run, link) : null,
  ]);
}

export function panel(title, ...children) {
  return el("section.box", {}, el("h2", {}, title), children);
}

/** Rows with a name, an accuracy with its interval, and the number of questions; `address(name)` may be null. */
export function accuracyRow(name, accuracy, href) {
  const share = accuracy.accuracy;
  const interval = accuracy.interval
    ? `${rate(accuracy.interval[0]).replace("%", "")}–${rate(accuracy.interval[1])}`
    : "";
  return row(name, href, track(share, accuracy.interval), [
    el("strong", {}, rate(share)),
    el("span.note", { title: "95% interval (Wilson)" }, interval ? ` ${interval}` : ""),
    el("span.note", {}, ` of ${accuracy.n}`),
  ]);
}

function accuracies(splits, overall, link) {
  const names = Object.keys(splits);
  const rows = names.map((name) =>
    accuracyRow(name ? inert(name) : "no split", splits[name], name ? link({ split: name }) : null),
  );
  if (names.length > 1) rows.push(accuracyRow("all splits", overall, link({ split: "" })));
  return el("ul.bars", {}, rows);
}

function counts(facet, found, link) {
  const most = Math.max(...Object.values(found));
  if (!Object.keys(found).length) return null;
  const rows = Object.entries(found).map(([value, count]) => {
    const line = row(
      inert(called(facet, value)),
      link({ [facet]: value }),
      track(count / most),
      el("strong", {}, String(count)),
    );
    line.classList.add(`of-${facet}`, `is-${value}`);
    line.title = meaning(facet, value) ?? "";
    return line;
  });
  return el("ul.bars", {}, rows);
}

function byFamily(families, link) {
  const names = Object.keys(families).sort((a, b) => families[a].accuracy - families[b].accuracy);
  return el(
    "ul.bars",
    {},
    names.map((name) => accuracyRow(inert(name), families[name], link({ family: name }))),
  );
}

function explanation(run, link) {
  const found = run.explanation;
  const facts = found.facts.filter((fact) => fact.false > 0).slice(0, MOST_FACTS);
  const changes = Object.entries(found.interventions).filter(([, row]) => row && typeof row.n === "number");
  return el("section.box.wide", {}, [
    el("h2", {}, "Explanation"),
    run.older ? el("p.note", {}, "The traces are newer than it. Make it again: ", el("code", {}, run.command)) : null,
    found.sentences.map((sentence) => el("p", {}, inert(sentence))),
    el("div.columns", {}, [
      facts.length ? el("div", {}, el("h3", {}, "Facts it gets wrong"), worst(facts, link)) : null,
      changes.length ? el("div", {}, el("h3", {}, "What if"), interventions(changes, found.changed, link)) : null,
    ]),
    run.report ? el("p.note", {}, "All of it: ", el("code", {}, inert(run.report))) : null,
  ]);
}

function unexplained(run) {
  if (run.explanation_problem) return el("p.problem", {}, run.explanation_problem);
  if (!run.command)
    return el("p.note", {}, "These traces have none: it takes the folder of a run with its checkpoint.");
  return [
    el(
      "p.note",
      {},
      "There is none yet. It shows which facts the model gets wrong, and what it would answer if its steps were others. This makes it:",
    ),
    el("pre", {}, el("code", {}, run.command)),
  ];
}

function worst(facts, link) {
  const rows = facts.map((fact) =>
    row(inert(fact.fact), link({ fact: fact.fact }), track(fact.false / fact.n), [
      `${fact.false} of ${fact.n}`,
      el("span.note", {}, " false; it is ", inert(fact.true)),
    ]),
  );
  return el("ul.bars", {}, rows);
}

function interventions(rows, changed, link) {
  const head = ["", "answers changed", "accuracy", "with the edit"].map((title) => el("th", { scope: "col" }, title));
  const body = rows.map(([name, found]) =>
    el("tr", {}, [
      el("th", { scope: "row" }, edited(name)),
      el(
        "td",
        {},
        changed[name]
          ? el("a", { href: link({ changed: name }) }, `${changed[name]} of ${found.n}`)
          : `${changed[name] ?? 0} of ${found.n}`,
      ),
      el("td", {}, rate(found.accuracy_before)),
      el("td", {}, rate(found.accuracy_after)),
    ]),
  );
  return el(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": "What if" },
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)),
  );
}

function row(name, href, bar, value) {
  const inside = [el("span.name", {}, name), bar, el("span.value", {}, value)];
  return el("li", {}, href ? el("a.figure", { href }, inside) : el("span.figure", {}, inside));
}

/** A bar of 0 to 1, with the ends of an interval. */
function track(share, interval = null) {
  const bar = el("span.track", { "aria-hidden": "true" }, el("span.fill"));
  bar.firstChild.style.width = `${100 * (share ?? 0)}%`;
  if (interval) {
    const whisker = el("span.whisker");
    whisker.style.left = `${100 * interval[0]}%`;
    whisker.style.width = `${100 * (interval[1] - interval[0])}%`;
    bar.append(whisker);
  }
  return bar;
}
