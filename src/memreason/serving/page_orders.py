"""What the page asks for → requests to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memreason.errors import UserError
from memreason.generation.decoding import Decoding
from memreason.generation.edit import Edit, cut, edit
from memreason.generation.request import Request
from memreason.models.unit import ModelUnit
from memreason.records import Question, Step, Trace, one_line
from memreason.serving.errors import unusable
from memreason.serving.page_parameters import Asked, Continued, GivenEdit, Worded
from memreason.serving.questions import question_in


@dataclass(frozen=True)
class PageReader:
    """Reads what the page asks of ``unit``, with at most ``max_n`` answers a request. All methods raise ApiError for
    what cannot be done."""

    unit: ModelUnit
    max_n: int

    def asked(self, body: Asked) -> Request:
        """The request to answer a question, greedily."""
        return Request(self._question(body), decoding=Decoding(logprobs=True, constrained=body.constrained))

    def continued(self, body: Continued) -> Request:
        """The request to go on from an answer, or from what edits make of it, greedily."""
        request = replace(self.asked(body), generated=self._ids(body.ids))
        if not body.edits:
            return request
        trace = self.trace(request.question, request.generated)
        edits = {given.step: self._edit(given, trace) for given in body.edits if not given.insert}
        insert: dict[int, list[Step]] = {}
        for given in body.edits:
            if given.insert:
                insert.setdefault(given.step, []).append(self._step(given, None))
        try:
            return edit(self.unit, trace, edits, insert).request(request.decoding)
        except UserError as error:
            raise unusable(str(error), "edits") from error

    def wordings(self, body: Worded) -> list[Request]:
        """Two requests for one step alone: for its most likely wording, token by token, and for drawn ones."""
        if body.n > self.max_n:
            raise unusable(f"n: {body.n} wordings in one request; at most {self.max_n} are possible here", "n")
        question = self._question(body)
        trace = self.trace(question, self._ids(body.ids))
        greedy = Decoding(
            logprobs=True, constrained=body.constrained, next_type=self._type(body.type), stop=("\n",), seed=body.seed
        )
        drawn = replace(greedy, n=body.n, temperature=body.temperature)
        try:
            return [cut(self.unit, trace, body.step, decoding) for decoding in (greedy, drawn)]
        except UserError as error:
            raise unusable(str(error), "step") from error

    def marks(self, type_: str | None) -> list[int]:
        """The ids of the planning tokens that a step of this type begins with; none for None, and for words."""
        layout = self.unit.layout
        names = [] if layout.words or type_ is None else layout.special(type_)
        return self.unit.tokenizer.convert_tokens_to_ids(names) if names else []

    def trace(self, question: Question, ids: Sequence[int]) -> Trace:
        """The answer that has these ids."""
        return replace(self.unit.layout.parse(question, self.text(ids)), ids=tuple(ids))

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer that begins with these ids, first prefix tokens included."""
        prefix = "".join(self.unit.layout.prefix)
        return prefix + self.unit.tokenizer.decode(ids, skip_special_tokens=False)

    def _question(self, body: Asked) -> Question:
        return question_in(body.question, body.options, "".join(self.unit.layout.prefix), "question")

    def _ids(self, ids: list[int]) -> tuple[int, ...]:
        manifest = self.unit.manifest
        if any(not 0 <= id < manifest.rows for id in ids) or len(ids) > manifest.model_max_length:
            raise unusable("ids: these are not the ids of an answer of this model", "ids")
        return tuple(ids)

    def _edit(self, given: GivenEdit, trace: Trace) -> Edit:
        if given.remove:
            return None
        return self._step(given, trace.steps[given.step] if given.step < len(trace.steps) else None)

    def _step(self, given: GivenEdit, old: Step | None) -> Step:
        kind, text = self._type(given.type), given.text
        if old is not None:
            kind, text = kind or old.type, old.text if text is None else text
        if not (text := one_line(text or "")):
            raise unusable("the step has no text; to take it out, remove it", "edits")
        return Step(kind or self.unit.layout.known_types[0], text)

    def _type(self, name: str | None) -> str | None:
        known = self.unit.layout.known_types
        if name is not None and name not in known:
            raise unusable(f"the type {name!r}: the step types of this model are {', '.join(known)}", "type")
        return name
