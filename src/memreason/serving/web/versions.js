// The versions of an answer, as a tree of buttons.

import { el, fill, inert } from "./dom.js";
import { children } from "./state.js";

const MARKS = { same: ["✓", "written again exactly"], other: ["≠", "written again otherwise"] };

/** Fill `place` with the tree; `choose(number)` is called for the version that is pressed. `checked` has, by number, what
 * replaying found: "same" or "other". */
export function showVersions(place, state, checked, choose) {
  fill(place, state ? level(-1) : null);

  function level(parent) {
    const below = children(state, parent);
    if (!below.length) return null;
    // What follows alone stands right below, without an indent: the tree is only as broad as it has branches.
    return el(
      below.length > 1 ? "ul.branches" : "ul",
      {},
      below.map((at) => node(at)),
    );
  }

  function node(at) {
    const version = state.versions[at];
    const mark = MARKS[checked.get(at)];
    const answered = version.answer !== null;
    const before = state.versions[version.parent]?.answer ?? null;
    const changed = version.parent >= 0 && version.answer !== before;
    return el(
      "li",
      {},
      el(
        "button.version",
        { type: "button", "aria-current": at === state.current ? "true" : null, onclick: () => choose(at) },
        el("span.what", {}, inert(version.what)),
        el(
          changed ? "span.said.changed" : "span.said",
          {},
          answered ? inert(version.answer) : "no answer",
          changed ? el("span.unseen", {}, " (another answer)") : null,
        ),
        mark &&
          el(
            `span.checked.${checked.get(at)}`,
            { title: mark[1] },
            el("span", { "aria-hidden": "true" }, mark[0]),
            el("span.unseen", {}, mark[1]),
          ),
      ),
      level(at),
    );
  }
}
