"""What if a step were another: a trace, and what to change in it → a request that goes on from exactly the same ids.

The ids before the first change are those that the model wrote, and so are those of whole steps between two changes.
New steps are encoded as in training. What stands behind the last change is left out, and the model writes it anew.

If the last change removes a step, greedy decoding would only write that step once more. So the steps of its type right
behind it stay, and the next line begins with the type that the model gave it, or as the answer line.

All this needs lines that follow one another: a trace of a model with a plan on its first line cannot be continued.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from memreason.errors import UserError
from memreason.generation.decoding import GREEDY, Decoding
from memreason.generation.request import Request
from memreason.generation.step_logprobs import step_lines
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import EACH_STEP, FRONT
from memreason.planning_tokens.names import ANSWER
from memreason.records import PLAIN, Question, Solution, Step, Trace

Edit = Step | str | None
"""What becomes of a step: another one, another text for the same type, or nothing."""


@dataclass(frozen=True)
class Edited:
    """The beginning of an answer, after edits."""

    question: Question
    steps: tuple[Step, ...]
    """The steps that are given; the model writes what follows."""
    ids: tuple[int, ...]
    """The same as ids, up to where the type of the next step is to be written, or behind it after a removal."""
    kept: int
    """How many of the first ids are those of the trace, as the model wrote them."""

    def request(self, decoding: Decoding = GREEDY) -> Request:
        """The request to write the rest."""
        return Request(self.question, generated=self.ids, decoding=decoding)


def ids_of(unit: ModelUnit, trace: Trace) -> tuple[int, ...]:
    """The ids of a trace behind its prompt: those that were generated, or else its text, encoded as in training."""
    if trace.ids is not None:
        return trace.ids
    layout, tokenizer = unit.layout, unit.tokenizer
    if trace.well_formed:
        question = replace(trace.question, answer=trace.answer or "")
        encoded = layout.encode(tokenizer, Solution(question, trace.steps))
        return tuple(encoded.ids[encoded.prompt_length : -1])
    between = "|".join([*map(re.escape, sorted(layout.marks, key=len, reverse=True)), r"(?<=\n)"])
    text = trace.text.removeprefix("".join(layout.prefix))
    return tuple(_encoded(unit, [piece for piece in re.split(f"({between})", text) if piece]))


def _encoded(unit: ModelUnit, pieces: Sequence[str]) -> list[int]:
    """The ids of pieces, each of them a planning token, a word in place of one, or other text."""
    names = {*unit.layout.names}
    return [
        id
        for piece in pieces
        for id in (
            [unit.tokenizer.convert_tokens_to_ids(piece)]
            if piece in names
            else unit.tokenizer.encode(piece, add_special_tokens=False)
        )
    ]


def cut(unit: ModelUnit, trace: Trace, step: int, decoding: Decoding = GREEDY) -> Request:
    """The request to write ``step`` (from 0) of the trace anew, and all that follows; the number of steps: all that
    follows them. `Decoding.next_type` decides the step's type. Raises UserError where there is no such step, and where
    a trace cannot be continued.
    """
    lines = _Lines(unit, trace)
    lines.check(step, len(trace.steps))
    return Request(trace.question, generated=tuple(lines.before(step)), decoding=decoding)


def edit(
    unit: ModelUnit,
    trace: Trace,
    edits: Mapping[int, Edit] | None = None,
    insert: Mapping[int, Sequence[Step]] | None = None,
) -> Edited:
    """The beginning of ``trace`` with some steps changed, up to the last of the changes.

    ``edits`` says for steps (counted from 0) what they become, ``insert`` which steps are put before a step (or, by the
    number of steps, behind all). A step that is to become what it is keeps its ids. Without any change nothing is left,
    and the whole answer is written anew. Raises UserError where there is no such step, where a text cannot be that of a
    step, and where a trace of this kind cannot be continued.
    """
    edits, insert = edits or {}, insert or {}
    lines, steps = _Lines(unit, trace), trace.steps
    for at in edits:
        lines.check(at, len(steps) - 1)
    for at in insert:
        lines.check(at, len(steps))
    places = sorted({*edits, *insert})
    if not places:
        return Edited(trace.question, (), (), 0)
    written = _Written(lines, places[0])
    for at in range(places[0], places[-1] + 1):
        written.add(*insert.get(at, ()))
        if at in edits and (new := _step(edits[at], steps[at])) != steps[at]:
            written.add(*([new] if new else []), own=steps[at].type)
        elif at in edits or at < places[-1]:
            written.keep(at)
    last = places[-1]
    if last < len(steps) and last in edits and edits[last] is None:
        written.go_on_behind(last)
    return Edited(trace.question, tuple(written.steps), tuple(written.ids), written.kept)


def _step(new: Edit, old: Step) -> Step | None:
    return Step(old.type, new) if isinstance(new, str) else new


class _Written:
    """The ids and steps of an edited beginning, while it grows. The ids end where the type of a step is written."""

    def __init__(self, lines: _Lines, start: int):
        """It begins with the steps before ``start``, as they are."""
        self._lines, whole = lines, start
        while whole and not lines.ends(whole - 1):
            whole -= 1
        self.steps = [*lines.trace.steps[:whole]]
        self.ids = lines.before(whole)
        self.kept = len(self.ids)
        self._unchanged = True
        self._bare = whole > 0 and not lines.opens(whole)
        """Whether the next line has no prefix tokens yet, because the model, in this line, wrote none."""
        for step in lines.trace.steps[whole:start]:
            self.add(step, own=step.type)

    def add(self, *steps: Step, own: str | None = None) -> None:
        """Write new steps. ``own`` is the type that the model gave the line; one that the layout does not know has no
        tokens."""
        unit = self._lines.unit
        layout, known = unit.layout, unit.layout.known_types
        if steps:
            self._open()
        for step in steps:
            as_it_was = step.type == own and step.type not in known and known != (PLAIN,)
            marked = Step(known[0], step.text) if as_it_was else step
            ids = layout.encode_steps(unit.tokenizer, [marked], before=len(self.steps))
            self.ids += ids[len(_encoded(unit, layout.special(known[0]))) :] if as_it_was else ids
            self.steps.append(step)
            self._unchanged = False

    def keep(self, at: int) -> None:
        """Go on with step ``at`` of the trace, in its own ids where it has whole ones."""
        lines, first = self._lines, not self.steps
        own = lines.own(at)
        if own is None or (first != (at == 0) and lines.unit.layout.placement == FRONT):  # the first is written apart
            step = lines.trace.steps[at]
            self.add(step, own=step.type)
            return
        self.ids += own
        self.steps.append(lines.trace.steps[at])
        if self._unchanged:
            self.kept = len(self.ids)
        self._bare = not lines.opens(at + 1)

    def go_on_behind(self, removed: int) -> None:
        """Write the steps of the same type right behind a step that was ``removed``, and the type of the next line."""
        steps, layout = self._lines.trace.steps, self._lines.unit.layout
        at = removed + 1
        while at < len(steps) and steps[at].type == steps[removed].type:
            self.keep(at)
            at += 1
        if layout.placement == EACH_STEP:
            self._open()
            type_ = steps[at].type if at < len(steps) else ANSWER
            self.ids += _encoded(self._lines.unit, layout.special(type_))

    def _open(self) -> None:
        """Write the prefix tokens of the next line, if it has none. A line of the model's own stays without them."""
        self.ids += self._lines.prefix if self._bare else []
        self._bare = False


class _Lines:
    """Where the steps of a trace stand among its ids."""

    def __init__(self, unit: ModelUnit, trace: Trace):
        """Raises UserError where the layout is one of plans, or where the trace holds thoughts beside its steps."""
        self.unit, self.trace, layout = unit, trace, unit.layout
        if layout.placement not in (EACH_STEP, FRONT):
            raise UserError(
                "a solution that begins with a plan of all its steps cannot be continued after one of them, so its "
                "steps cannot be edited; use a checkpoint trained without --plan_first and --plan_only"
            )
        self.ids = ids_of(unit, trace)
        numbers = [number for number in step_lines(layout, trace.text)[:-1] if number is not None]
        if len(numbers) < len(trace.steps):
            raise UserError(
                f"question {trace.question.id}: its answer holds thoughts beside its steps, so no step can be edited"
            )
        self._numbers = [*numbers, numbers[-1] + 1 if numbers else 0]
        """The number of the line of each step, and last that of the line behind them."""
        self._starts = self._line_starts()
        marks = [] if layout.placement == FRONT else layout.prefix
        self.prefix: list[int] = unit.tokenizer.convert_tokens_to_ids(marks) if marks else []

    def check(self, at: int, last: int) -> None:
        """Raise UserError where there is no step ``at``."""
        if not 0 <= at <= last:
            has = f"it has the steps 0 to {last}" if last >= 0 else "it has no steps"
            raise UserError(f"question {self.trace.question.id}: there is no step {at} in its answer; {has}")

    def opens(self, at: int) -> bool:
        """Whether the line of step ``at`` begins with the prefix tokens that it should have."""
        place, _ = self._start(at)
        return list(self.ids[place : place + len(self.prefix)]) == self.prefix

    def ends(self, at: int) -> bool:
        """Whether the line of step ``at`` ends; that of the last may be cut off."""
        return self._numbers[at + 1] < len(self._starts)

    def before(self, at: int) -> list[int]:
        """The ids before step ``at``, up to where its type was written."""
        if not at:
            return []
        place, end = self._start(at)
        return [*self.ids[:place], *end, *(self.prefix if self.opens(at) else [])]

    def own(self, at: int) -> list[int] | None:
        """The ids of step ``at``, from its type up to where that of the next line was written; None where its line
        does not end, or begins within a token."""
        place, shared = self._start(at)
        if shared or not self.ends(at):
            return None
        place += len(self.prefix) if at and self.opens(at) else 0
        return self.before(at + 1)[place:]

    def _start(self, at: int) -> tuple[int, list[int]]:
        number = self._numbers[at]
        return self._starts[number] if number < len(self._starts) else (len(self.ids), [])

    def _line_starts(self) -> list[tuple[int, list[int]]]:
        """The place among the ids where each line begins. Where a token holds the end of a line and letters of the
        next, it is the place of this token, and the ids of what it holds of the line before."""
        tokenizer = self.unit.tokenizer
        starts: list[tuple[int, list[int]]] = [(0, [])]
        texts = {id: tokenizer.decode([id], skip_special_tokens=False) for id in {*self.ids}}
        for place, id in enumerate(self.ids):
            for newline in re.finditer("\n", texts[id]):
                before, after = texts[id][: newline.end()], texts[id][newline.end() :]
                shared = bool(after.strip())
                starts.append(
                    (place, tokenizer.encode(before, add_special_tokens=False)) if shared else (place + 1, [])
                )
        return starts
