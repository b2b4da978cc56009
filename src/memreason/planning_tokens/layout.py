"""Planning tokens: which exist, how a question and its solution become text and ids, and back.

There is one layout for everything, the one of the paper (arXiv 2411.13504, section 3.2): each step
is a line that begins with the general *prefix* tokens and the *special* tokens of its type, the
last line is the answer line.

    Question: Is Lyon the capital of France?
    <prefix_0><memory_0> The capital of France is Paris.
    <prefix_0><reason_0> Lyon is not Paris, so the statement is false.
    <prefix_0><answer_0> The answer is: False

Its variants (`PLACEMENTS`, and words instead of tokens) are ablations of the planning-token paper's
code (arXiv 2310.05707): they say what of the gain comes from where the tokens stand, and what from
their being new and trained.

The prompt ends after the first line's prefix tokens: there generation starts, and there the loss
begins. Ids are built piece by piece and never cut out of a longer tokenization, so no merge can
cross the border between prompt and solution.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from memreason.answers.thoughts import without_thoughts
from memreason.errors import UserError
from memreason.planning_tokens.prompt_templates import (
    ALPACA,
    ANSWER_PHRASE,
    CHAT,
    PLAIN_TEMPLATE,
    alpaca_text,
    chat_end_id,
    chat_text,
)
from memreason.records import MEMORY, PLAIN, Question, Solution, Step, Trace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PREFIX, ANSWER = "prefix", "answer"
SPELLINGS = {"rag": MEMORY}
"""Type names of other groups' files, and ours for them."""

EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY = "each_step", "front", "plan_first", "plan_only"
PLACEMENTS = (EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY)
"""Where planning tokens stand: before each line; the general ones once, before the first line; those
of all lines together on a plan line, which plain lines follow; or that plan line and no step at all."""

IGNORE = -100
"""The label that PyTorch's cross entropy leaves out."""

_TOKEN = re.compile(r"<([^<>\s]+)_(\d+)>")
_LEAD = re.compile(r"(?:\s*<[^<>\s]+_\d+>)*")


Piece = str | list[int]
"""A part of a text that is tokenized by itself, or the ids of one that is not tokenized."""


class Encoded(NamedTuple):
    """``ids`` of prompt, solution and end token; the first ``prompt_length`` of them bear no loss."""

    ids: list[int]
    prompt_length: int

    @property
    def labels(self) -> list[int]:
        """The ids with the prompt's replaced by `IGNORE`."""
        return [IGNORE] * self.prompt_length + self.ids[self.prompt_length :]


@dataclass(frozen=True)
class PlanningTokens:
    """Which planning tokens a model has, and the text layout that they give.

    ``num_general_prefix_tokens`` (`<prefix_0>`, …) open every line; ``num_special_prefix_tokens``
    of the line's type follow (`<memory_0>`, …; `<answer_0>`, … on the answer line). With both 0
    and no types the layout is plain chain of thought. ``placement`` is one of `PLACEMENTS`. With
    ``words``, the line's type stands there as a plain word in brackets, `[memory]`, and nothing is
    added to the vocabulary. ``prompt_template`` is one of `prompt_templates.PROMPT_TEMPLATES`.
    """

    num_general_prefix_tokens: int = 0
    num_special_prefix_tokens: int = 0
    step_types: tuple[str, ...] = ()
    placement: str = EACH_STEP
    words: bool = False
    prompt_template: str = PLAIN_TEMPLATE

    @property
    def names(self) -> list[str]:
        """All token names, in the order in which they are added to the tokenizer; words are no tokens."""
        if self.words:
            return []
        names = self.prefix
        for type_ in (*self.step_types, ANSWER):
            names = names + self.special(type_)
        return names

    @property
    def prefix(self) -> list[str]:
        """The general tokens that open every line."""
        return [f"<{PREFIX}_{i}>" for i in range(self.num_general_prefix_tokens)]

    def special(self, type_: str) -> list[str]:
        """The marks of one step type, or of the answer line; none for a type that has none."""
        if type_ not in (*self.step_types, ANSWER):
            return []
        if self.words:
            return [f"[{type_}]"]
        return [f"<{type_}_{i}>" for i in range(self.num_special_prefix_tokens)]

    # ---- to text -------------------------------------------------------------------------------

    def prompt_text(self, question: Question) -> str:
        """The prompt without its closing prefix tokens: the question, its options, a newline, in the
        prompt template where that needs no tokenizer (a chat template does)."""
        lines = f"Question: {question.text}"
        if question.options:
            lines += "\nOptions: " + " ".join(f"{chr(65 + i)}. {option}" for i, option in enumerate(question.options))
        return alpaca_text(lines + "\n") if self.prompt_template == ALPACA else lines + "\n"

    def lines(self, steps: tuple[Step, ...], answer: str) -> list[tuple[list[str], str]]:
        """(planning tokens, text) of each line of a solution, the answer line last."""
        texts = [*(step.text for step in steps), f"{ANSWER_PHRASE} {answer}"]
        marks = [self.prefix + self.special(type_) for type_ in (*(step.type for step in steps), ANSWER)]
        if self.placement == FRONT:
            marks = [self.prefix, *([] for _ in steps)]
        elif self.placement != EACH_STEP:
            texts = texts if self.placement == PLAN_FIRST else texts[-1:]
            return [([mark for line in marks for mark in line], ""), *(([], text) for text in texts)]
        return list(zip(marks, texts, strict=True))

    def solution_text(self, steps: tuple[Step, ...], answer: str) -> str:
        """The solution as text, planning tokens included, without the end token."""
        return "\n".join("".join(marks) + _after(marks, text) for marks, text in self.lines(steps, answer))

    # ---- to ids --------------------------------------------------------------------------------

    def encode_prompt(
        self,
        tokenizer: PreTrainedTokenizerBase,
        question: Question,
        first: bool = True,
        demonstrations: Sequence[Solution] = (),
    ) -> list[int]:
        """Ids up to where generation starts: [bos], demonstrations, question, first prefix tokens.

        Demonstrations stand before the question as they would be trained on, with an empty line after
        each; in a chat template they are earlier turns. Without [bos] where something else stands
        before the question, so that it is not ``first``.

        Raises UserError where a text holds the name of a planning token, and for a chat template that
        the tokenizer does not have.
        """
        opening = _opening_ids(tokenizer) if first else []
        return _ids(tokenizer, [self._prompt(tokenizer, question, opening, demonstrations)])[0]

    def encode_shots(self, tokenizer: PreTrainedTokenizerBase, shots: str) -> list[int]:
        """Ids of the text that stands before every question: [bos], shots; none where it is empty."""
        return _opening_ids(tokenizer) + _ids(tokenizer, [[shots]])[0] if shots else []

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, solution: Solution, demonstrations: Sequence[Solution] = ()
    ) -> Encoded:
        """Ids of prompt, solution and end token, and where the prompt ends.

        Raises UserError where `encode_prompt` does, or where a step holds the name of a planning token.
        """
        return self.encode_all(tokenizer, [solution], [demonstrations])[0]

    def encode_all(
        self,
        tokenizer: PreTrainedTokenizerBase,
        solutions: Sequence[Solution],
        demonstrations: Sequence[Sequence[Solution]],
    ) -> list[Encoded]:
        """`encode` of each solution with its demonstrations; one call of the tokenizer for all of them is faster."""
        opening, end = _opening_ids(tokenizer), self.end_id(tokenizer)
        pieces: list[list[Piece]] = []
        for solution, shown in zip(solutions, demonstrations, strict=True):
            pieces.append(self._prompt(tokenizer, solution.question, opening, shown))
            # The first line's prefix tokens are the end of the prompt.
            pieces.append(self._solution(tokenizer, solution, opened=True))
        ids = iter(_ids(tokenizer, pieces))
        return [Encoded([*prompt, *written, end], len(prompt)) for prompt, written in zip(ids, ids, strict=True)]

    def end_id(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """The token that ends a solution: the tokenizer's end token, or that of its chat template."""
        return chat_end_id(tokenizer) if self.prompt_template == CHAT else tokenizer.eos_token_id

    def _prompt(
        self,
        tokenizer: PreTrainedTokenizerBase,
        question: Question,
        opening: list[int],
        demonstrations: Sequence[Solution],
    ) -> list[Piece]:
        text = self.prompt_text(question)
        if name := self._name_in(text):
            raise UserError(f"question {question.id}: its text contains the planning token {name}; remove it")
        closing = self._marks(tokenizer, self.prefix)
        if self.prompt_template == CHAT:
            shown = [
                (self.prompt_text(s.question), self.solution_text(s.steps, s.question.answer)) for s in demonstrations
            ]
            turns = [turn.strip() for pair in shown for turn in pair]
            return [chat_text(tokenizer, [*turns, text.strip()]), *closing]
        pieces: list[Piece] = [opening]
        for solution in demonstrations:
            pieces += [self.prompt_text(solution.question), *self._solution(tokenizer, solution), "\n\n"]
        return [*pieces, text, *closing]

    def _solution(self, tokenizer: PreTrainedTokenizerBase, solution: Solution, opened: bool = False) -> list[Piece]:
        """Without the end token, and where it is ``opened`` already, without its first prefix tokens."""
        pieces: list[Piece] = []
        lines = self.lines(solution.steps, solution.question.answer)
        for number, (marks, text) in enumerate(lines):
            if name := self._name_in(text):
                raise UserError(
                    f"solution {solution.question.id}: a step contains the planning token {name}; remove it"
                )
            end = "\n" if number < len(lines) - 1 else ""
            written = marks[self.num_general_prefix_tokens :] if opened and number == 0 else marks
            pieces += [*self._marks(tokenizer, written), _after(marks, text) + end]
        return pieces

    def _name_in(self, text: str) -> str | None:
        """A planning token whose name stands in a text."""
        return next((name for name in self.names if name in text), None) if "<" in text else None

    def _marks(self, tokenizer: PreTrainedTokenizerBase, marks: list[str]) -> list[Piece]:
        """Mark by mark, so that each has the same ids wherever it stands."""
        return [*marks] if self.words or not marks else [tokenizer.convert_tokens_to_ids(marks)]

    # ---- and back ------------------------------------------------------------------------------

    def parse(self, question: Question, text: str, truncated: bool = False) -> Trace:
        """Parse a generated solution text (first prefix tokens included, end token not).

        ``well_formed`` means: not truncated, every step non-empty and of a known type, and
        rendering the parsed steps and answer gives back ``text``, but for white space (which some
        tokenizers add around added tokens when they decode). Where there is only a plan, its steps
        are empty.
        """
        steps, answer = self.read(text)
        known = self.step_types if self.step_types and self.special(self.step_types[0]) else (PLAIN,)
        well_formed = (
            not truncated
            and bool(steps)
            and bool(answer)
            and all((step.text or self.placement == PLAN_ONLY) and step.type in known for step in steps)
            and _squeeze(self.solution_text(steps, answer or "")) == _squeeze(text)
        )
        return Trace(question, text, steps, answer, well_formed, truncated)

    def read(self, text: str) -> tuple[tuple[Step, ...], str | None]:
        """(steps, answer) as `parse_text` gives them, with this layout's words taken for marks."""
        if self.words:
            word = "|".join(re.escape(f"[{type_}]") for type_ in (*self.step_types, ANSWER))
            # Where the plan stands first, the lines after it are plain, whatever they begin with.
            # Some tokenizers put a space before each piece.
            lead = re.compile(f"^ *(?:{word})+", re.MULTILINE if self.placement == EACH_STEP else re.NOFLAG)
            text = lead.sub(lambda found: re.sub(word, lambda mark: f"<{mark[0][1:-1]}_0>", found[0]), text)
        return parse_text(text)


def parse_text(text: str) -> tuple[tuple[Step, ...], str | None]:
    """(steps, answer) of a solution text in any spelling: one line a step, planning tokens first.

    Needs no knowledge of which tokens exist, so it reads other groups' texts too (`<rag_i>` is
    memory there, and spaces may stand between tokens). A line's type is that of its first token
    that is not a general prefix; a line without one is a plain `step`. The answer is what follows
    "The answer is:" on the first line that begins so; None where there is none. Lines after the
    answer line are not read, nor what a reasoning model thinks before (`without_thoughts`).

    A first line of nothing but tokens, the answer line's among them, is a plan: it gives the types
    of the plain lines that follow, or steps without text where none do.
    """
    text = without_thoughts(text)
    first, *rest = text.split("\n")
    lead = _LEAD.fullmatch(first.rstrip())
    types = [name for name, number in _TOKEN.findall(first) if name != PREFIX and number == "0"]
    if lead and ANSWER in types:
        return _parse_planned([SPELLINGS.get(name, name) for name in types[: types.index(ANSWER)]], rest)
    steps: list[Step] = []
    for line in text.split("\n"):
        lead = _LEAD.match(line)
        end = lead.end() if lead else 0
        types = [name for name, _ in _TOKEN.findall(line[:end]) if name != PREFIX]
        body = line[end:].strip()
        if (ANSWER in types or not types) and body.startswith(ANSWER_PHRASE):
            return tuple(steps), body.removeprefix(ANSWER_PHRASE).strip() or None
        if body or types:
            type_ = types[0] if types else PLAIN
            steps.append(Step(SPELLINGS.get(type_, type_), body))
    return tuple(steps), None


def _parse_planned(plan: list[str], lines: list[str]) -> tuple[tuple[Step, ...], str | None]:
    """(steps, answer) of the lines after a plan, which says how many steps there are before the answer."""
    answers = [i for i, line in enumerate(lines) if line.strip().startswith(ANSWER_PHRASE)]
    end = next((i for i in answers if i >= len(plan)), answers[0] if answers else len(lines))
    answer = lines[end].strip().removeprefix(ANSWER_PHRASE).strip() if answers else None
    texts = [line.strip() for line in lines[:end] if line.strip()]
    if not texts:
        return tuple(Step(type_, "") for type_ in plan), answer or None
    types = plan + [PLAIN] * (len(texts) - len(plan))
    return tuple(Step(type_, text) for type_, text in zip(types, texts, strict=False)), answer or None


def _after(marks: list[str], text: str) -> str:
    """The text of a line, apart from the marks that stand before it."""
    return f" {text}" if marks and text else text


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[list[Piece]]) -> list[list[int]]:
    """The ids of each text: its pieces' own, one after another. Equal pieces are tokenized once."""
    distinct = list({piece: None for pieces in texts for piece in pieces if isinstance(piece, str)})
    found = tokenizer(distinct, add_special_tokens=False, return_attention_mask=False)["input_ids"] if distinct else []
    ids = dict(zip(distinct, found, strict=True))
    return [[i for piece in pieces for i in (ids[piece] if isinstance(piece, str) else piece)] for pieces in texts]


def _opening_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What the tokenizer puts before every text by itself: [bos] for Llama, nothing for SmolLM2."""
    return [i for i in tokenizer.encode("") if i != tokenizer.eos_token_id]
