// What the names in the files are called on the page, and what they mean.

import { CAUSES, CAUSES_MEAN, GROUNDS, GROUNDS_MEAN, INTERVENTIONS, OUTCOMES } from "./words.js"; // the report's

export const CHANGES = {
  both_right: "both right",
  only_left: "only the left one right",
  only_right: "only the right one right",
  both_wrong: "both wrong",
};

const CALLED = { outcome: OUTCOMES, cause: CAUSES, grounds: GROUNDS, change: CHANGES };
const MEANS = { cause: CAUSES_MEAN, grounds: GROUNDS_MEAN };

/** The word for a value of a filter. */
export const called = (facet, value) => word(CALLED, facet, value) ?? value;

/** What a value of a filter means, where it needs saying. */
export const meaning = (facet, value) => word(MEANS, facet, value);

/** The name of an intervention. */
export const edited = (name) => (Object.hasOwn(INTERVENTIONS, name) ? INTERVENTIONS[name] : name.replaceAll("_", " "));

function word(words, facet, value) {
  return Object.hasOwn(words, facet) && Object.hasOwn(words[facet], value) ? words[facet][value] : null;
}
