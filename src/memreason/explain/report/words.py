"""The words and shapes of the page: what a cause, an intervention or a section is called, and what left it out."""

from __future__ import annotations

CAUSES = {
    "false_memory": "false memory",
    "wrong_inference": "wrong inference",
    "both": "both",
    "missing_memory": "missing memory",
    "answer_slip": "answer slip",
    "unreadable": "unreadable",
}
"""Causes of wrong answers, in the order in which they are shown."""
CAUSES_MEAN = {
    "false_memory": "the answer follows from what it recalled, and part of that is false",
    "wrong_inference": "the right answer would have followed from what it recalled",
    "both": "a false memory, and a conclusion that does not follow from it either",
    "missing_memory": "what it recalled does not decide the question",
    "answer_slip": "the answer line contradicts its own conclusion",
    "unreadable": "a step that no rule can read stands in the way",
    "unexplained": "the judge found no fault in the steps",
}
GROUNDS = {"sound": "on sound grounds", "lucky": "by luck", "unreadable": "not all readable"}
GROUNDS_MEAN = {
    "sound": "every memory is true and every inference valid",
    "lucky": "a false memory or an invalid step, and right nevertheless",
    "unreadable": "nothing false was found, but a step could not be judged",
}
OUTCOMES = {"correct": "right", "incorrect": "wrong", "no_answer": "no answer"}
INTERVENTIONS = {
    "memories_corrected": "memories corrected",
    "memories_corrupted": "memories made false",
    "paraphrased": "memories in other words",
    "irrelevant": "an irrelevant fact put in",
    "type_swapped": "planning tokens exchanged",
    "step_removed": "a step removed",
    "no_edit": "nothing edited (control)",
}
REPAIRS = {
    "memories": "by true memories only",
    "inference": "by a valid inference only",
    "either": "by either alone",
    "both_only": "by both together only",
    "neither": "by neither",
}
SECTIONS = {
    "epochs": ("Learning", "the run holds no metrics of its epochs"),
    "families": ("Causes by kind of question", "the dataset's questions come in no families, or no judge read them"),
    "facts": ("Facts it gets wrong", "no judge has read the steps, or none states a fact"),
    "confidence": ("Does it know when it is wrong?", "no memories with both a truth value and a probability"),
    "positions": ("Step types by position", "no steps were written"),
    "lengths": ("Lengths", "no lengths were counted"),
    "interventions": ("What if?", "no interventions were run"),
    "attribution": ("What would have repaired it", "no repairs were tried"),
    "importance": ("Which steps matter", "no steps were sampled again"),
    "attention": ("Where it looks", "attention was not asked for"),
    "judges": ("How far the judges can be trusted", "no judge has read the steps"),
}
"""Key in explanation.json → heading, and why it can be absent."""


def spoken(name: object, known: dict[str, str] | None = None) -> str:
    """A name as words: that of a dictionary here, else with spaces for underscores."""
    return (known or {}).get(str(name)) or str(name).replace("_", " ")
