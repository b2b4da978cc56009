"""Which planning tokens a model has, and how a question and its solution become text and ids.

Everything uses one layout, that of the paper (arXiv 2411.13504, section 3.2). Each step is a line that begins
with the general *prefix* tokens, followed by the *special* tokens of the step's type. The last line is the answer
line.

    Question: Is Lyon the capital of France?
    <prefix_0><memory_0> The capital of France is Paris.
    <prefix_0><reason_0> Lyon is not Paris, so the statement is false.
    <prefix_0><answer_0> The answer is: False

Other placements (`PLACEMENTS`), and words instead of tokens, are ablations from the code of the planning-token paper
(arXiv 2310.05707). They show how much of the gain comes from the place of the tokens, and how much comes from
training new tokens.

The prompt ends after the first line's prefix tokens. Generation starts there, and the loss starts there too. Each
piece of text is tokenized separately. If the whole text were tokenized at once, one token could contain both the end
of the prompt and the beginning of the solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from memreason.errors import UserError
from memreason.planning_tokens.names import ANSWER, PREFIX, token_names
from memreason.planning_tokens.parse import Parsed, parse_text, words_to_tokens
from memreason.planning_tokens.prompt import (
    ALPACA,
    ANSWER_PHRASE,
    CHAT,
    PLAIN_TEMPLATE,
    alpaca_text,
    chat_end_id,
    chat_text,
    question_text,
)
from memreason.records import PLAIN, Question, Solution, Step, Trace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY = "each_step", "front", "plan_first", "plan_only"
PLACEMENTS = (EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY)
"""The places of planning tokens in a solution.

- `each_step`: at the start of each line.
- `front`: only the general ones, at the start of the first line.
- `plan_first`: the tokens of all lines are on a first line of their own, the plan; the other lines have none.
- `plan_only`: the plan, and after it only the answer line.
"""

IGNORE = -100
"""The label of tokens without loss; PyTorch's cross entropy ignores it."""

Piece = str | list[int]
"""A part of a text: a string, which is tokenized separately, or ids."""


class Encoded(NamedTuple):
    """The ``ids`` of prompt, solution and end token. The first ``prompt_length`` ids are the prompt, without loss."""

    ids: list[int]
    prompt_length: int

    @property
    def labels(self) -> list[int]:
        """The ids, with `IGNORE` in place of those of the prompt."""
        return [IGNORE] * self.prompt_length + self.ids[self.prompt_length :]


@dataclass(frozen=True)
class PlanningTokens:
    """Which planning tokens a model has, and the text layout that they give.

    Every line begins with ``num_general_prefix_tokens`` tokens `<prefix_0>`, `<prefix_1>`, …, followed by
    ``num_special_prefix_tokens`` tokens of the line's type, `<memory_0>`, … (`<answer_0>`, … on the answer line).
    If both numbers are 0 and there are no types, the layout is plain chain of thought. ``placement`` is one of
    `PLACEMENTS`. With ``words``, a word in brackets, `[memory]`, marks the line's type instead, and the vocabulary
    does not change. ``prompt_template`` is one of `prompt.PROMPT_TEMPLATES`.
    """

    num_general_prefix_tokens: int = 0
    num_special_prefix_tokens: int = 0
    step_types: tuple[str, ...] = ()
    placement: str = EACH_STEP
    words: bool = False
    prompt_template: str = PLAIN_TEMPLATE

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PlanningTokens:
        """Read back what a JSON file holds of a layout. Raises KeyError, TypeError."""
        return cls(**{**value, "step_types": tuple(value["step_types"])})

    @property
    def names(self) -> list[str]:
        """The names of all tokens, in the order in which they get their ids; none where words are used."""
        if self.words:
            return []
        return [*self.prefix, *(name for type_ in (*self.step_types, ANSWER) for name in self.special(type_))]

    @property
    def marks(self) -> list[str]:
        """All that can stand before the text of a line: the names of all tokens, or the words in brackets."""
        return [f"[{kind}]" for kind in (*self.step_types, ANSWER)] if self.words else self.names

    @property
    def prefix(self) -> list[str]:
        """The general tokens at the start of every line."""
        return token_names(PREFIX, self.num_general_prefix_tokens)

    def special(self, type_: str) -> list[str]:
        """The tokens, or the word, of a step type or of the answer line (type `ANSWER`); empty for an unknown type."""
        if type_ not in (*self.step_types, ANSWER):
            return []
        if self.words:
            return [f"[{type_}]"]
        return token_names(type_, self.num_special_prefix_tokens)

    @property
    def known_types(self) -> tuple[str, ...]:
        """The types of steps that `parse` knows; `PLAIN` alone where nothing marks a type."""
        return self.step_types if self.step_types and self.special(self.step_types[0]) else (PLAIN,)

    # ---- to text -------------------------------------------------------------------------------

    def prompt_text(self, question: Question) -> str:
        """The question, its options and a newline, in the prompt template, without the first prefix tokens.

        A chat template is not applied here, because it needs the tokenizer.
        """
        text = question_text(question)
        return alpaca_text(text) if self.prompt_template == ALPACA else text

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

        Demonstrations have the form of training texts, with an empty line after each; in a chat
        template they are earlier turns. ``first`` is False where another text stands before this one; then there is
        no [bos].

        Raises UserError where a text holds the name of a planning token, or where the tokenizer lacks
        the chat template that was asked for.
        """
        opening = opening_ids(tokenizer) if first else []
        return _ids(tokenizer, [self._prompt(tokenizer, question, opening, demonstrations)])[0]

    def prompt_string(
        self, tokenizer: PreTrainedTokenizerBase, question: Question, demonstrations: Sequence[Solution] = ()
    ) -> str:
        """The text of the prompt whose ids `encode_prompt` gives, with the names of all tokens, [bos] too.

        It is for other programs, which tokenize it as a whole; they may get other ids. Raises UserError as
        `encode_prompt` does.
        """
        pieces = self._prompt(tokenizer, question, opening_ids(tokenizer), demonstrations)
        texts = (p if isinstance(p, str) else "".join(tokenizer.convert_ids_to_tokens(p)) for p in pieces)
        return "".join(texts)

    def encode_shots(self, tokenizer: PreTrainedTokenizerBase, shots: str) -> list[int]:
        """Ids of the text that stands before every question: [bos], shots. Empty where ``shots`` is empty."""
        return opening_ids(tokenizer) + _ids(tokenizer, [[shots]])[0] if shots else []

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
        """Like `encode`, for many solutions, each with its demonstrations; a single call of the tokenizer is faster."""
        opening, end = opening_ids(tokenizer), self.end_id(tokenizer)
        pieces: list[list[Piece]] = []
        for solution, shown in zip(solutions, demonstrations, strict=True):
            pieces.append(self._prompt(tokenizer, solution.question, opening, shown))
            # The first line's prefix tokens already stand at the end of the prompt.
            pieces.append(self._solution(tokenizer, solution, opened=True))
        ids = iter(_ids(tokenizer, pieces))
        return [Encoded([*prompt, *written, end], len(prompt)) for prompt, written in zip(ids, ids, strict=True)]

    def encode_steps(self, tokenizer: PreTrainedTokenizerBase, steps: Sequence[Step], before: int = 0) -> list[int]:
        """Ids of the first steps of a solution, behind the prompt, up to where the next line's type is to be written.

        ``before`` is the number of steps that already stand before these, encoded in the same way. Raises UserError
        where a step's type is unknown, where its text is empty, or holds a newline or the name of a planning token, and
        for a layout with a plan, which comes before all steps.
        """
        if not steps:
            return []
        if self.placement not in (EACH_STEP, FRONT):
            raise UserError(
                "a solution that begins with a plan of all its steps cannot be continued after one of them; "
                "ask without steps"
            )
        known = self.known_types
        pieces: list[Piece] = []
        for number, step in enumerate(steps, before + 1):
            if known != (PLAIN,) and step.type not in known:
                raise UserError(f"step {number}: the type {step.type!r} is none of {', '.join(known)}")
            if not step.text.strip() or "\n" in step.text:
                raise UserError(f"step {number}: its text must be one line, and not empty")
            if name := self._name_in(step.text):
                raise UserError(f"step {number}: its text contains the planning token {name}; remove it")
            marks = [] if self.placement == FRONT else self.special(step.type)
            closing = [] if self.placement == FRONT else self.prefix
            opening = self.prefix if number == 1 else closing  # they are there already
            text = _after([*opening, *marks], step.text) + "\n"
            pieces += [*self._marks(tokenizer, marks), text, *self._marks(tokenizer, closing)]
        return _ids(tokenizer, [pieces])[0]

    def end_id(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """The id of the token that ends a solution: the tokenizer's end token, or the end token of its chat template.

        Raises UserError where the tokenizer lacks the chat template that was asked for.
        """
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
        """A solution without its end token; if ``opened``, without its first prefix tokens too: the prompt has them."""
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
        """A planning token whose name is in ``text``, or None."""
        return next((name for name in self.names if name in text), None) if "<" in text else None

    def _marks(self, tokenizer: PreTrainedTokenizerBase, marks: list[str]) -> list[Piece]:
        """One piece for each word, or the ids of the tokens, so that a mark has the same ids in every place."""
        return [*marks] if self.words or not marks else [tokenizer.convert_tokens_to_ids(marks)]

    # ---- and back ------------------------------------------------------------------------------

    def parse(self, question: Question, text: str, truncated: bool = False) -> Trace:
        """The trace of a generated solution text, with the first prefix tokens and without the end token.

        A trace is ``well_formed`` if it is not truncated, has at least one step and an answer, every step has a known
        type and a text (no text where there is only a plan), and rendering its steps and answer gives ``text`` again.
        Differences in white space do not count, because some tokenizers put spaces around added tokens.
        """
        steps, answer = self.read(text)
        well_formed = (
            not truncated
            and bool(steps)
            and bool(answer)
            and all((step.text or self.placement == PLAN_ONLY) and step.type in self.known_types for step in steps)
            and _squeeze(self.solution_text(steps, answer or "")) == _squeeze(text)
        )
        return Trace(question, text, steps, answer, well_formed, truncated)

    def read(self, text: str) -> Parsed:
        """The steps and the answer of a text, as `parse_text` reads them; words of this layout count as tokens."""
        if self.words:
            text = words_to_tokens(text, (*self.step_types, ANSWER), on_every_line=self.placement == EACH_STEP)
        return parse_text(text)


def _after(marks: list[str], text: str) -> str:
    """The text of a line, with a space before it if marks come first."""
    return f" {text}" if marks and text else text


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[list[Piece]]) -> list[list[int]]:
    """The ids of each text: the ids of its pieces, one after another. Equal pieces are tokenized only once."""
    distinct = list({piece: None for pieces in texts for piece in pieces if isinstance(piece, str)})
    ids = tokenizer(distinct, add_special_tokens=False, return_attention_mask=False)["input_ids"] if distinct else []
    ids_of = dict(zip(distinct, ids, strict=True))
    return [[id for piece in pieces for id in (ids_of[piece] if isinstance(piece, str) else piece)] for pieces in texts]


def opening_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that the tokenizer itself puts before every text: [bos] for Llama, none for SmolLM2."""
    return [i for i in tokenizer.encode("") if i != tokenizer.eos_token_id]
