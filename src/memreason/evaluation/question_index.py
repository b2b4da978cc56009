"""Finding the question that a text is about: by id, by its text, by a prompt, or by how the text begins. No torch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from memreason.answers.marks import plain
from memreason.records import Question, Solution, lettered
from memreason.tasks.assemble import question_key

_WORD = re.compile(r"\w+|[^\w\s]")
_LONGEST_CUE = 10
"""Most words, signs among them, after the question in a prompt: "Answer: Let's think step by step." has ten."""


class QuestionIndex:
    """Finds the question that a row is about."""

    def __init__(self, solutions: Sequence[Solution]) -> None:
        questions = [solution.question for solution in solutions]
        self._by_id = {question.id: question for question in questions}
        self._by_key = {question_key(question): question for question in questions}
        self._by_opening: dict[tuple[str, ...], list[Question]] = defaultdict(list)
        for question in questions:
            for opening in _openings(question):
                self._by_opening[opening].append(question)
        self._lengths = sorted(set(map(len, self._by_opening)), reverse=True)
        self._lengths_by_end: dict[str, list[int]] = {}
        for opening in sorted(filter(None, self._by_opening), key=len, reverse=True):
            lengths = self._lengths_by_end.setdefault(opening[-1], [])
            if len(opening) not in lengths[-1:]:
                lengths.append(len(opening))

    def find(self, row: dict[str, Any]) -> tuple[Question, str] | str:
        """(question, text after the question) of a row; if no question is found, the reason in words."""
        text = row.get("generated_text")
        if not isinstance(text, str):
            return 'no "generated_text" in the row'
        opened = self._find_opening(text)
        if not any(isinstance(row.get(field), str) for field in ("question", "prompt")):
            return opened
        question = self._find_named(row)
        if question is None:
            return "its question is not among the questions"
        if isinstance(question, str):
            return question
        repeats_it = isinstance(opened, tuple) and opened[0] is question
        return question, opened[1] if repeats_it else text

    def _find_named(self, row: dict[str, Any]) -> Question | str | None:
        """The question with the row's id, if its text is the row's question too; otherwise by the row's question, or
        at the end of its prompt. A text where the options are not the question's, which makes letters meaningless."""
        options = row.get("options")
        options = options if isinstance(options, list) and all(isinstance(option, str) for option in options) else ()
        asked, prompt, found = row.get("question"), row.get("prompt"), None
        if isinstance(asked, str):
            key = question_key(Question("", asked, "", tuple(options)))
            named = self._by_id.get(str(row.get("id")))
            if named and question_key(named) == key:
                found = named
            else:
                found = self._by_key.get(key) or (named if named and _stands_in(named, asked) else None)
            found = found or self._find_first(asked, options)
        for text in (asked, prompt):
            found = found or (self._find_last(text, options) if isinstance(text, str) else None)
        if found and options and found.options and list(map(plain, options)) != list(map(plain, found.options)):
            return f"its options are not those of the question {found.id}, or stand in another order"
        return found

    def _find_first(self, text: str, options: Sequence[str]) -> Question | None:
        """The question with which a text begins, if only options and a cue follow it."""
        opened = self._find_opening(text)
        if isinstance(opened, str):
            return None
        rest = _words(opened[1])
        after = _after_options(rest, opened[0], 0, options)
        return opened[0] if _is_cue(rest if after is None else after) else None

    def _find_last(self, text: str, options: Sequence[str]) -> Question | None:
        """The question that stands at the end of a text, the longest one of those that end there.

        Only a cue may follow, such as "Answer:", so that no example before the question that was asked is taken for it;
        and before the cue ``options``, those of the row. A row without options must have the question's there.
        """
        words = _words(text)
        for end in range(len(words), 0, -1):
            for length in self._lengths_by_end.get(words[end - 1], ()):
                if questions := length <= end and self._by_opening.get(tuple(words[end - length : end])):
                    fitting = [q for q in questions if _is_cue(_after_options(words[end:], q, length, options))]
                    return fitting[0] if len(fitting) == 1 else None
        return None

    def _find_opening(self, text: str) -> tuple[Question, str] | str:
        """(question, text after it) for the longest question with which the text begins; or the reason in words."""
        words = list(_WORD.finditer(text))
        spelled = [word[0].casefold() for word in words[: max(self._lengths, default=0) + 2]]
        skip = 2 if spelled[:2] == ["question", ":"] else 0
        for length in (length for length in self._lengths if 0 < length <= len(spelled) - skip):
            questions = self._by_opening.get(tuple(spelled[skip : skip + length]), ())
            if len(questions) > 1:
                return f"{len(questions)} questions begin like it"
            if questions:
                return questions[0], text[words[skip + length - 1].end() :].strip()
        return 'it has no "question", and its text begins with none of the questions'


def _after_options(words: list[str], question: Question, length: int, options: Sequence[str]) -> list[str] | None:
    """The ``words`` without the options with which they begin: ``options``, or else those of the question before them.

    None where they must begin with options and do not. ``length`` is that of the question, and tells whether its
    options are part of it.
    """
    if length > len(_words(question.text)):
        return words
    end = 0
    for option in map(_words, options or question.options):
        places = range(end, len(words) - len(option) + 1)
        place = next((place for place in places if words[place : place + len(option)] == option), None)
        if place is None:
            return words if options else None
        end = place + len(option)
    return words[end:]


def _stands_in(question: Question, text: str) -> bool:
    return f" {' '.join(_words(question.text))} " in f" {' '.join(_words(text))} "


def _is_cue(words: list[str] | None) -> bool:
    return words is not None and len(words) <= _LONGEST_CUE and "?" not in words


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _openings(question: Question) -> set[tuple[str, ...]]:
    """The words with which a text about the question may begin: the question alone, or with options in two layouts."""
    listed = " ".join(lettered(question.options))
    texts = [question.text]
    if listed:
        texts += [f"{question.text} Options: {listed}", f"{question.text} {listed}"]
    return {tuple(_words(text)) for text in texts}
