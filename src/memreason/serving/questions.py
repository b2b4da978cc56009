"""Messages and prompts → questions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memreason.records import Question, one_line
from memreason.serving.errors import unusable
from memreason.tasks.fields import MOST_OPTIONS

_OPTIONS = re.compile(r"\n\s*Options: (?=A\. )")
_OPENING = "Question: "


def question_in(text: str, options: Sequence[str] | None, prefix: str, param: str) -> Question:
    """The question that a message or prompt holds, with its options.

    The options are those given, or else those at the end of the text, `\\nOptions: A. … B. …`, as in training's
    prompts. A text that is such a prompt as a whole, from `Question: ` to the first general tokens (``prefix``), is
    the question in it. Raises ApiError, which names ``param``, where the question or an option is empty, or where the
    options are too few, too many or given twice.
    """
    if (text := text.lstrip()).startswith(_OPENING):
        text = text.removeprefix(_OPENING).rstrip().removesuffix(prefix)
    text, found = split_options(text.rstrip())
    if options is not None and found:
        raise unusable("the options are given twice: in the text and in options; give them once", "options")
    if not text.strip():
        raise unusable("the question is empty", param)
    chosen = tuple(map(one_line, found if options is None else options))
    if len(chosen) == 1 or len(chosen) > MOST_OPTIONS:
        raise unusable(f"options: {len(chosen)} of them; give 2 to {MOST_OPTIONS} (A to Z), or none", "options")
    if not all(chosen):
        raise unusable(f"options[{chosen.index('')}] is empty", "options")
    return Question("asked", one_line(text), "", chosen)


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """(question, options) of a text that ends with its options, `\\nOptions: A. … B. …`; without them, (text, ()).

    Whatever is found, the prompt made from it is the one of the whole text.
    """
    *before, listed = _OPTIONS.split(text)
    if not before or "\n" in listed.strip():
        return text, ()
    options: list[str] = []
    rest = listed.strip().removeprefix("A. ")
    while len(options) < MOST_OPTIONS - 1:
        mark, begins = f" {chr(66 + len(options))}. ", len(rest) - len(rest.lstrip())
        ends = rest.find(mark, begins + 1)  # an option is not empty
        if ends < 0:
            break
        options.append(rest[:ends])
        rest = rest[ends + len(mark) :]
    options.append(rest)
    question = text[: text.rindex(listed)]
    question = question[: question.rindex("\n")]
    return (question, tuple(options)) if len(options) > 1 else (text, ())
