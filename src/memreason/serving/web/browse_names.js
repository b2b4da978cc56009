// What the names in the files are called on the page, and what they mean.

export const OUTCOMES = { correct: "right", incorrect: "wrong", no_answer: "no answer" };

export const CAUSES = {
  unreadable: ["unreadable", "A step that no rule can read stands in the way."],
  missing_memory: ["missing memory", "The facts in the trace do not decide the question."],
  answer_slip: ["answer slip", "The answer line contradicts the conclusion."],
  false_memory: ["false memory", "The conclusion follows from the facts in the trace, and one of these is false."],
  wrong_inference: [
    "wrong inference",
    "The facts in the trace lead to the right answer, and the trace concluded otherwise.",
  ],
  both: [
    "both",
    "A false memory and a wrong inference: the facts in the trace lead to a wrong answer, and it did not even conclude that.",
  ],
  unexplained: ["unexplained", "The judge found no fault in the steps."],
};

export const GROUNDS = {
  sound: ["sound", "No step is false or invalid."],
  lucky: ["lucky", "A memory is false or an inference invalid, and the answer is right nevertheless."],
  unreadable: ["not all readable", "Nothing is false, but something could not be judged."],
};

export const CHANGES = {
  both_right: "both right",
  only_left: "only the left one right",
  only_right: "only the right one right",
  both_wrong: "both wrong",
};

export const INTERVENTIONS = {
  memories_corrected: "memories corrected",
  memories_corrupted: "memories made false",
  paraphrased: "memories in other words",
  irrelevant: "an irrelevant fact put in",
  type_swapped: "planning tokens exchanged",
  step_removed: "a step removed",
  no_edit: "nothing edited (control)",
};

/** The word for a value of a filter. */
export function called(facet, value) {
  const names = { outcome: OUTCOMES, cause: CAUSES, grounds: GROUNDS, change: CHANGES }[facet] ?? {};
  const name = Object.hasOwn(names, value) ? names[value] : null;
  return (Array.isArray(name) ? name[0] : name) ?? value;
}

/** The name of an intervention. */
export function edited(name) {
  return Object.hasOwn(INTERVENTIONS, name) ? INTERVENTIONS[name] : name.replaceAll("_", " ");
}

/** What a value of a filter means, where it needs saying. */
export function meaning(facet, value) {
  const names = { cause: CAUSES, grounds: GROUNDS }[facet] ?? {};
  return Object.hasOwn(names, value) ? names[value][1] : null;
}
