"""A trace as a model reads it: the ids of prompt and answer, and which part of the trace each of them belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from memreason.errors import UserError
from memreason.explain.attention.shares import ANSWER, EXAMPLES, OTHER, PREFIX, QUESTION, START, Span
from memreason.generation.edit import ids_of
from memreason.generation.step_logprobs import step_lines
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.prompt import ANSWER_PHRASE
from memreason.records import REASON, Solution, Trace


@dataclass(frozen=True)
class Text:
    """A trace's tokens. ``tokens`` and ``kinds`` have one entry for each of them, and the ``spans`` cover them.

    The first ``before`` tokens have no ids: they are the keys and values of a trained prefix. ``said`` are the tokens
    of the answer itself, without the words before it; None where there is no answer line.
    """

    trace_id: str
    ids: tuple[int, ...]
    before: int
    tokens: tuple[str, ...]
    kinds: tuple[str, ...]
    spans: tuple[Span, ...]
    said: range | None

    @property
    def readers(self) -> list[int]:
        """The tokens of reason steps and of the answer line; where no step is one, those of all lines."""
        lines = [place for place in range(self.before, len(self.tokens)) if self._in_a_line(place)]
        readers = [place for place in lines if self.kinds[place] in (REASON, ANSWER)]
        return readers if any(self.kinds[place] == REASON for place in readers) else lines

    def _in_a_line(self, place: int) -> bool:
        return self.kinds[place] not in (START, EXAMPLES, QUESTION, PREFIX)


def text_of(unit: ModelUnit, trace: Trace, examples: Sequence[Solution] = ()) -> Text:
    """The tokens of a trace. ``examples`` stood before its question.

    Raises UserError where it has no tokens, or more than the model takes.
    """
    layout, tokenizer = unit.layout, unit.tokenizer
    cache = unit.prefix_cache()
    before = cache.get_seq_length() if cache else 0
    prompt = layout.encode_prompt(tokenizer, trace.question, demonstrations=examples)
    alone = layout.encode_prompt(tokenizer, trace.question) if examples else prompt
    written = ids_of(unit, trace)
    if not written:
        raise UserError(f"trace {trace.question.id}: nothing was generated, so there is nothing to look at")
    most = getattr(unit.model.config.get_text_config(), "max_position_embeddings", None)  # none with ALiBi
    ids = (*prompt, *written)
    if most and before + len(ids) > most:
        raise UserError(
            f"trace {trace.question.id} has {before + len(ids)} tokens, and {most} is the most of this model"
        )
    opened = len(prompt) - (0 if layout.words else len(layout.prefix))
    lines = [PREFIX] * before + [START] + [EXAMPLES] * (len(prompt) - len(alone))
    places: list[tuple[str, int]] = [(name, -1) for name in lines]
    places += [(QUESTION, -1)] * (before + opened - len(places))
    places += _lines(unit, trace, ids[opened:])
    prefix = set() if layout.words else set(tokenizer.convert_tokens_to_ids(layout.prefix))
    spans = _spans(places, trace)
    kinds = [span.type for span in spans for _ in range(span.start, span.end)]
    for place, id in enumerate(ids, before):
        if place >= before + opened and id in prefix:
            kinds[place] = PREFIX
    tokens = ("",) * before + tuple(tokenizer.decode([id]) for id in ids)
    return Text(trace.question.id, ids, before, tokens, tuple(kinds), spans, _said(unit, ids, before, spans))


def _lines(unit: ModelUnit, trace: Trace, ids: Sequence[int]) -> list[tuple[str, int]]:
    """For each id of the lines, (what its line is, index of the step)."""
    *steps, answer = step_lines(unit.layout, trace.text)
    of_line = {line: (trace.steps[index].type, index) for index, line in enumerate(steps) if line is not None}
    if answer is not None:
        of_line[answer] = ANSWER, -1
    found, line = [], 0
    for id in ids:
        found.append(of_line.get(line, (OTHER, -1)))
        line += unit.tokenizer.decode([id]).count("\n")
    return found


def _spans(places: Sequence[tuple[str, int]], trace: Trace) -> tuple[Span, ...]:
    spans, start = [], 0
    for (type_, step), group in groupby(places):
        end = start + len(list(group))
        name = f"step {step + 1}" if step >= 0 else {START: "first token", PREFIX: "trained prefix"}.get(type_, type_)
        spans.append(Span(name, type_, start, end, step if step >= 0 else None))
        start = end
    return tuple(spans)


def _said(unit: ModelUnit, ids: Sequence[int], before: int, spans: Sequence[Span]) -> range | None:
    line = next((span for span in reversed(spans) if span.type == ANSWER), None)
    if line is None:
        return None
    for place in range(line.start + 1, line.end):
        if ANSWER_PHRASE in unit.tokenizer.decode(ids[line.start - before : place - before]):
            return range(place, line.end)
    return range(line.start, line.end)
