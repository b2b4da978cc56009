"""The engine: requests come in, from any thread and at any time, and are answered many at once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from threading import Condition, Event
from types import TracebackType
from typing import Any

from memreason.errors import Unsupported, UserError
from memreason.generation.backends import ENGINES, check_backend
from memreason.generation.calculator_processor import CalculatorProcessor
from memreason.generation.decoding import Decoding, FinishReason
from memreason.generation.draft_tokens import DraftTokens
from memreason.generation.options import GenerationOptions
from memreason.generation.padded_batches import BatchScheduler, PaddedBatches
from memreason.generation.prompts import Prompts
from memreason.generation.samples import Sample, Token
from memreason.generation.sampling import Draws
from memreason.generation.scheduler import Scheduler
from memreason.generation.step_logprobs import step_logprobs
from memreason.generation.stops import Stops
from memreason.kernels.prepacked_linear import packed_weights
from memreason.models.sharding import is_sharded
from memreason.models.unit import ModelUnit
from memreason.records import AnswerKind, Question, Step, Trace
from memreason.runtime import distributed
from memreason.runtime.cpu_threads import considerate

logger = logging.getLogger(__name__)

DEFAULT = GenerationOptions()


@dataclass(frozen=True)
class Request:
    """A question to answer, or an answer to continue."""

    question: Question
    steps: tuple[Step, ...] = ()
    """Steps that are already there; the answer goes on behind the last one."""
    generated: tuple[int, ...] = ()
    """Or: the ids that are already there; the answer goes on behind exactly these."""
    decoding: Decoding = Decoding()


@dataclass(frozen=True)
class Answer:
    """One answer to a request. Its ``trace`` begins with what the request gave."""

    sample: int
    """Which of the request's `n` answers, from 0."""
    trace: Trace
    tokens: tuple[Token, ...]
    """What was generated, without the end token."""
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    """How many ids were generated, the end token included."""


@dataclass(eq=False)
class Handle:
    """A request under way. ``answers`` has those that have ended, in the order in which they ended."""

    request: Request
    answers: list[Answer] = field(default_factory=list)
    error: BaseException | None = None
    """What broke the engine before the answers ended."""
    samples: list[Sample] = field(default_factory=list, repr=False)
    ended: Event = field(default_factory=Event, repr=False)

    @property
    def done(self) -> bool:
        """Whether all answers have ended."""
        return self.ended.is_set()

    def fail(self, error: BaseException) -> None:
        """Note what broke the engine."""
        self.error = error
        self.ended.set()

    def wait(self, timeout: float | None = None) -> list[Answer]:
        """Wait, while another thread steps, until all answers have ended; return them in the order of their numbers.

        Raises TimeoutError after ``timeout`` seconds, and what broke the engine."""
        if not self.ended.wait(timeout):
            raise TimeoutError(f"not answered within {timeout} seconds")
        if self.error:
            raise self.error
        return sorted(self.answers, key=lambda answer: answer.sample)

    def cancel(self) -> None:
        """End the answers before the next pass, and give their places to others."""
        for sample in self.samples:
            sample.cancelled = True


class Engine:
    """Answers requests with a model unit.

    Within ``with engine:`` the model stays merged and prepared, and only the thread that entered may call `step`, `run`
    or `serve`. Otherwise this happens whenever there is something to do. `submit` and `cancel` may be called by any
    thread. ``answer_kind`` is the kind of answers that constrained decoding allows; None: a letter where a question has
    options, else any text.

    What decodes is continuous batching (`scheduler`) or, if the model needs it, transformers' `generate` batch by batch
    (`padded_batches`), with the same results.
    """

    def __init__(self, unit: ModelUnit, options: GenerationOptions = DEFAULT, answer_kind: AnswerKind | None = None):
        """Raises UserError where the options ask for another engine, or for one that cannot decode this model."""
        check_backend(options.backend, unit.manifest, options.use_calculator)
        if options.backend in ENGINES:
            raise UserError(f"--generation_backend {options.backend} answers whole lists of questions only")
        self.unit, self.options, self.answer_kind = unit, options, answer_kind
        self._prompts = Prompts(unit, options)
        self._again: list[int] = []
        self._arrived: deque[Sample] = deque()
        self._change = Condition()
        self._scheduler: Scheduler | BatchScheduler | None = None
        self._held = ExitStack()
        self._stays_open = False
        self._any_rank = distributed.any_rank if is_sharded(unit.model) else None
        self._calculator = CalculatorProcessor(unit.tokenizer) if options.use_calculator else None

    # ---- requests ----------------------------------------------------------------------------------

    def submit(
        self,
        request: Request,
        on_token: Callable[[int, Token], None] | None = None,
        on_end: Callable[[Answer], None] | None = None,
    ) -> Handle:
        """Take a request; its answers are generated by the steps that follow.

        ``on_token(sample, token)`` is called for every token but the end token, ``on_end`` for each answer, both by the
        thread that steps. Raises UserError where the question leaves no room for an answer, where there is no such step
        type, or where this model's answers cannot be constrained.
        """
        prompt, written = self._prompt(request)
        limit = self.unit.manifest.model_max_length
        if (room := limit - len(prompt)) <= 0:
            raise UserError(
                f"the question has {len(prompt)} tokens, and {limit} is the most this model takes, answer included; "
                "shorten the question"
            )
        decoding = request.decoding
        handle = Handle(request)
        for number in range(decoding.n):
            sample = self._sample(request, prompt, written, min(room, decoding.max_new_tokens or room), number)
            if on_token:
                sample.on_token = _numbered(on_token, number)
            sample.on_ended = self._ending(handle, number, written, on_end)
            sample.on_failed = handle.fail
            handle.samples.append(sample)
        with self._change:
            self._arrived.extend(handle.samples)
            self._change.notify_all()
        return handle

    def _prompt(self, request: Request) -> tuple[list[int], list[int]]:
        """The ids before what is generated, and how many of them, at their end, are a part of the answer."""
        layout, tokenizer = self.unit.layout, self.unit.tokenizer
        if request.steps and request.generated:
            raise UserError("a request continues either steps or ids, not both")
        written = list(request.generated) or layout.encode_steps(tokenizer, request.steps)
        return [*self._prompts.ids(request.question), *written], written

    def _sample(self, request: Request, prompt: list[int], written: list[int], room: int, number: int) -> Sample:
        decoding = request.decoding
        allowed = None
        if decoding.constrained or decoding.next_type:
            allowed = self._grammar(request, written, room)
        stops = Stops(self.unit.tokenizer, decoding.stop, bool(self.options.shots))
        return Sample(
            prompt,
            room,
            on_ended=lambda sample: None,
            forced=_behind(self._calculator.forced, written) if self._calculator else None,
            is_ended=stops.is_ended if stops.any else None,
            allowed=allowed,
            draws=Draws(decoding, prompt, number) if decoding.temperature else None,
            top_logprobs=decoding.top_logprobs if decoding.wants_logprobs else None,
        )

    def _grammar(self, request: Request, written: list[int], room: int) -> Any:
        raise UserError("constrained decoding is not possible here")

    def _ending(
        self, handle: Handle, number: int, written: list[int], on_end: Callable[[Answer], None] | None
    ) -> Callable[[Sample], None]:
        def on_ended(sample: Sample) -> None:
            answer = self._answer(handle.request, sample, number, written)
            handle.answers.append(answer)
            if on_end:
                on_end(answer)
            if len(handle.answers) == len(handle.samples):
                handle.ended.set()

        return on_ended

    def _answer(self, request: Request, sample: Sample, number: int, written: list[int]) -> Answer:
        unit = self.unit
        ids = [token.id for token in sample.tokens]
        prefix = "".join(unit.layout.prefix)
        given = prefix + unit.tokenizer.decode(written, skip_special_tokens=False)
        whole = prefix + unit.tokenizer.decode([*written, *ids], skip_special_tokens=False)
        text = Stops(unit.tokenizer, request.decoding.stop, bool(self.options.shots)).cut(whole, len(given))
        reason: FinishReason = "cancelled" if sample.cancelled else "length"
        if text != whole or sample.generated[-1:] == [unit.end_id]:
            reason = "stop"
        trace = unit.layout.parse(request.question, text, truncated=reason != "stop")
        if request.decoding.wants_logprobs:
            means = step_logprobs(unit.layout, unit.tokenizer, text, given, sample.tokens)
            trace = replace(trace, step_logprobs=means)
        return Answer(
            number, trace, tuple(sample.tokens), reason, len(self._again) + len(sample.prompt), len(sample.generated)
        )

    # ---- decoding ----------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many answers have not begun."""
        return len(self._arrived) + (len(self._scheduler.waiting) if self._scheduler else 0)

    @property
    def under_way(self) -> int:
        """How many answers have begun and not ended."""
        return len(self._scheduler.under_way) if self._scheduler else 0

    @property
    def room(self) -> int:
        """How many more answers could begin at the next step."""
        return (self._scheduler.room if self._scheduler else self.options.batch_size) - len(self._arrived)

    def step(self) -> bool:
        """Make one pass, and call back what came of it; False if there was nothing to do.

        With sharded weights, all processes must step alike: then it is False when none has anything to do.
        """
        busy = bool(self.waiting or self.under_way)
        if not (self._any_rank(busy) if self._any_rank else busy):
            if not self._stays_open:
                self.close()
            return False
        try:
            scheduler = self._scheduler or self._enter()
            with self._change:
                while self._arrived:
                    sample = self._arrived.popleft()
                    sample.prompt = [*self._again, *sample.prompt]
                    scheduler.waiting.append(sample)
            if busy:
                scheduler.step()
            else:
                scheduler.idle()
        except BaseException as error:
            self._fail(error)
            if not self._stays_open:
                self.close()
            raise
        return True

    def run(self) -> None:
        """Step until nothing is left to do."""
        while self.step():
            pass

    def serve(self, stopping: Event) -> None:
        """Step, and sleep while there is nothing to do. Return when ``stopping`` is set and all answers have ended."""
        while self.step() or not stopping.is_set():
            with self._change:
                if not (self._arrived or self.under_way or stopping.is_set()):
                    self._change.wait(timeout=0.2)

    def __enter__(self) -> Engine:
        self._stays_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stays_open = False
        self.close()

    def close(self) -> None:
        """Give the model back as it was. Answers under way end with an error."""
        if self.waiting or self.under_way:
            self._fail(RuntimeError("the engine was closed"))
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            self._held.close()

    def _enter(self) -> Scheduler | BatchScheduler:
        """Merge and prepare the model, and choose what decodes."""
        unit, options = self.unit, self.options
        with ExitStack() as held:
            held.enter_context(considerate())
            model = held.enter_context(unit.merged())
            held.enter_context(packed_weights(model))
            batches = PaddedBatches(unit, model)
            shots = self._prompts.shots
            self._again = [] if not shots or batches.read_once(shots) else shots
            scheduler: Scheduler | BatchScheduler | None = None
            if options.backend == "auto" and not unit.manifest.sparse_attention:
                scheduler = Scheduler(
                    batches.model,
                    unit.end_id,
                    max(1, options.batch_size),
                    len(self._again) + unit.manifest.model_max_length,
                    DraftTokens(unit.layout, unit.tokenizer),
                    batches.shared[1] if batches.shared else None,
                )
                try:
                    scheduler.prove(self._arrived[0].prompt if self._arrived else [unit.end_id], self._any_rank)
                except Unsupported as reason:
                    logger.info(f"batch by batch: {reason}")
                    scheduler = None
            scheduler = scheduler or BatchScheduler(batches, options.batch_size)
            held.enter_context(scheduler.attending())
            self._held, self._scheduler = held.pop_all(), scheduler
        return scheduler

    def _fail(self, error: BaseException) -> None:
        """End everything under way with an error."""
        samples = [*self._arrived]
        if self._scheduler:
            samples += [*self._scheduler.waiting, *(row.sample for row in self._scheduler.under_way)]
            self._scheduler.waiting.clear()
            self._scheduler.under_way.clear()
        self._arrived.clear()
        for sample in samples:
            if sample.on_failed:
                sample.on_failed(error)


def _numbered(on_token: Callable[[int, Token], None], number: int) -> Callable[[Token], None]:
    return lambda token: on_token(number, token)


def _behind(forced: Callable[[list[int]], int | None], written: Sequence[int]) -> Callable[[list[int]], int | None]:
    """``forced``, for ids that follow those that are ``written``."""
    return (lambda generated: forced([*written, *generated])) if written else forced
