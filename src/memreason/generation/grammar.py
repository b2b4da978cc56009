"""A grammar over tokens: which token may come next, so that what a model writes is a well-formed solution.

*Well formed* is what `PlanningTokens.parse` calls so. A solution then consists of lines with the planning tokens of a
known type and a text, and of an answer line of the task's kind. The text of a step may be anything that parsing leaves
in its place: `<x_1>` at its start or `</think>` anywhere in it are more than text to the parser. Where little room is
left, only tokens from which the answer can still end in time are allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

from memreason.answers.choice import option_letters
from memreason.answers.extract import Kind, kind_of
from memreason.errors import NoRoom, UserError
from memreason.generation.grammar_state import GrammarState
from memreason.generation.grammar_tables import Answers, Opening, Tables
from memreason.generation.spelling import Spelling
from memreason.generation.vocabulary import LINE_END, NEVER, SINGLE, TEXT_AND_LINE_END, vocabulary_of
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PlanningTokens
from memreason.planning_tokens.names import ANSWER
from memreason.planning_tokens.prompt import ANSWER_PHRASE
from memreason.records import PLAIN, AnswerKind, Question, Step


class Grammar:
    """The grammar of a model: of its tokenizer, its planning tokens, its end token and the width of its logits.

    The tables are made on the first `start`, and those that only depend on the tokenizer are shared by its grammars.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, layout: PlanningTokens, end_id: int, rows: int):
        self.tokenizer, self.layout, self.end_id, self.rows = tokenizer, layout, end_id, rows
        self._tables: Tables | None = None
        self._answers: dict[tuple[str, ...], Answers] = {}

    def start(
        self,
        question: Question,
        kind: AnswerKind | None,
        max_new_tokens: int,
        written: Sequence[int] = (),
        constrained: bool = True,
        next_type: str | None = None,
    ) -> GrammarState:
        """Where an answer begins: after the first line's prefix tokens, with which its prompt ends.

        ``written`` are the ids that already stand after the prompt: those that were generated, or that
        `PlanningTokens.encode` gives for steps; they may end at a line's start, among its planning tokens, or in its
        text. An id that the grammar does not allow is read as text of its line, which goes on, and the rules hold again
        for what follows; the answer as a whole is then as ill-formed as what was given.

        ``kind`` is that of the answer; if it is None, the answer is a letter where the question has options, else any
        text. ``max_new_tokens`` counts what may still come, the end token included. ``next_type`` is the type of the
        next step that begins. If ``constrained`` is False, only the planning tokens of this step are decided; all
        that comes before and after them is free.

        Raises NoRoom where max_new_tokens is too few for the shortest answer, UserError where no step of ``next_type``
        can come next, where the tokenizer cannot spell such an answer, or where the layout is not one of lines
        (plan_first, plan_only).
        """
        tables = self._ready_tables()
        if next_type is not None and next_type not in tables.types:
            raise UserError(f"next_type {next_type}: this model's step types are {', '.join(sorted(tables.types))}")
        state = GrammarState(tables, self._answers_of(question, kind), "".join(self.layout.prefix))
        for id in written:
            state.advance(id)
        state.strict, state.room = constrained, max_new_tokens
        if next_type and not state.force(next_type):
            raise UserError(
                f"next_type {next_type}: no step of this type can come next, because the answer line, or a step of "
                "another type, has begun; continue from an earlier place"
            )
        state.begin()
        least = state.least()
        if constrained and least == math.inf:
            raise UserError(
                "the tokenizer cannot spell an answer of this kind, so it cannot be required; decode freely"
            )
        if constrained and least > max_new_tokens:
            raise NoRoom(
                f"max_new_tokens {max_new_tokens} leaves no room for a well-formed answer: the shortest takes {least} "
                "more; allow more of them, or ask a shorter question"
            )
        return state

    # ---- the answer line ----------------------------------------------------------------------------

    def _answers_of(self, question: Question, kind: AnswerKind | None) -> Answers:
        asked: Kind = kind_of(question, kind) if kind else "choice" if question.options else "text"
        values = {"boolean": ("True", "False"), "choice": (*option_letters(question),)}.get(asked, (asked,))
        if values not in self._answers:
            self._answers[values] = self._new_answers(asked, values)
        return self._answers[values]

    def _new_answers(self, asked: Kind, values: tuple[str, ...]) -> Answers:
        vocabulary = self._ready_tables().vocabulary
        spaced = (f"{ANSWER_PHRASE} ", ANSWER_PHRASE)
        if asked in ("boolean", "choice"):
            return Answers(Spelling(vocabulary, [before + value for before in spaced for value in values]), False)
        if asked == "number":
            return Answers(Spelling(vocabulary, spaced, number=True), False)
        return Answers(Spelling(vocabulary, [ANSWER_PHRASE]), True)

    # ---- tables -------------------------------------------------------------------------------------

    def _ready_tables(self) -> Tables:
        if self._tables is None:
            self._tables = self._new_tables()
        return self._tables

    def _new_tables(self) -> Tables:
        layout, vocabulary = self.layout, vocabulary_of(self.tokenizer)
        types = self._step_types()
        names = dict(zip(self.tokenizer.convert_tokens_to_ids(layout.names), layout.names, strict=True))
        kinds = bytearray(vocabulary.kinds[: self.rows].ljust(max(self.rows, len(vocabulary.kinds)), bytes([NEVER])))
        for id in (*names, self.end_id):
            kinds[id] = NEVER
        texts = vocabulary.texts
        members = {
            kind: [id for id, of in enumerate(kinds) if of == kind] for kind in sorted({*kinds} - {NEVER, SINGLE})
        }
        if LINE_END not in members:
            raise UserError(
                "the tokenizer has no token for a newline, so this model cannot be constrained; decode freely"
            )
        examples = {kind: min(ids, key=lambda id: (":" in texts[id], len(texts[id]))) for kind, ids in members.items()}
        lines = [self._opening(types, first) for first in (True, False)]
        first = lines[0]
        for id in self.tokenizer.convert_tokens_to_ids(layout.prefix):
            first = first.after[id]
        marked = any(layout.special(type_) for type_ in types) and layout.placement == EACH_STEP
        short = examples.get(TEXT_AND_LINE_END)
        return Tables(
            vocabulary=vocabulary,
            rows=self.rows,
            end_id=self.end_id,
            kinds=kinds,
            members={kind: torch.tensor(ids) for kind, ids in members.items()},
            examples=examples,
            single=[id for id, of in enumerate(kinds) if of == SINGLE],
            colons=[id for id, text in enumerate(texts) if ":" in text and kinds[id] not in (NEVER, SINGLE)],
            types=frozenset(types),
            typed=marked,
            words={type_: Spelling(vocabulary, layout.special(type_)) for type_ in (*types, ANSWER) if layout.words},
            names=names,
            first=first,
            next=lines[1],
            bare=not (layout.prefix or marked),
            short_line=None if short is None else texts[short],
            decode=lambda id: self.tokenizer.decode([id], skip_special_tokens=False),
        )

    def _step_types(self) -> list[str]:
        """The types of steps that parsing knows again."""
        layout = self.layout
        if layout.placement not in (EACH_STEP, FRONT):
            raise UserError(
                f"a model with a plan on its first line (--{layout.placement}) cannot be constrained; decode it freely"
            )
        types = layout.known_types if layout.placement == EACH_STEP else (PLAIN,)
        question = Question("", "", "")
        texts = {type_: layout.solution_text((Step(type_, "x"),), "x") for type_ in types}
        known = [type_ for type_, text in texts.items() if layout.parse(question, text).well_formed]
        if not known:
            raise UserError(
                f"the step types {', '.join(types)} are not read back from a text, so they cannot be constrained; "
                "decode freely"
            )
        return known

    def _opening(self, types: list[str], first: bool) -> Opening:
        """The start of the first line, or of another one."""
        layout = self.layout
        marks: dict[str, list[str]] = {}
        for type_ in (*types, ANSWER):
            special = [] if layout.words or layout.placement == FRONT else layout.special(type_)
            marks[type_] = (layout.prefix if first or layout.placement == EACH_STEP else []) + special
        ids = {type_: tuple(self.tokenizer.convert_tokens_to_ids(names)) for type_, names in marks.items()}
        return Opening.of(ids)
