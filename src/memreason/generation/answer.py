"""A model unit + Questions → Traces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from tqdm.auto import tqdm

from memreason.errors import NoRoom, UserError
from memreason.generation.backends import ENGINES, check_backend
from memreason.generation.decoding import Decoding
from memreason.generation.engine import Engine
from memreason.generation.options import GenerationOptions
from memreason.generation.prompt_list import LazySequence, Requests
from memreason.generation.prompts import Prompts
from memreason.generation.request import Answer, Request
from memreason.generation.stops import Stops
from memreason.models.unit import ModelUnit
from memreason.records import AnswerKind, Question, Trace
from memreason.runtime.cpu_threads import considerate

logger = logging.getLogger(__name__)

DEFAULT = GenerationOptions()


def generate(
    unit: ModelUnit,
    questions: Sequence[Question],
    options: GenerationOptions = DEFAULT,
    progress: str | None = None,
) -> list[Trace]:
    """Answer every question once, by `answer_each`. The traces are in the order of the questions."""
    traces: dict[int, Trace] = {}
    answer_each(unit, questions, traces.__setitem__, options, progress)
    return [traces[i] for i in range(len(questions))]


def answer_each(
    unit: ModelUnit,
    questions: Sequence[Question],
    on_result: Callable[[int, Trace], None],
    options: GenerationOptions = DEFAULT,
    progress: str | None = None,
    answer_kind: AnswerKind | None = None,
) -> None:
    """Answer every question once. When an answer has ended, ``on_result(index of the question, trace)`` is called.

    Of all questions, only the lengths of their prompts are kept in memory; the rest only while an answer is generated.
    A trace ends at the end token, or, if there are shots, at the end of its answer line (a base model would continue
    with questions of its own). It is `truncated` if prompt and solution reach the unit's `model_max_length`, to which
    shots do not count. If a prompt leaves no room for an answer, the trace is empty and truncated. ``progress`` is the
    title of a progress bar. ``answer_kind`` matters where decoding is constrained. Raises UserError where the backend
    in ``options`` is not installed, or cannot decode this model in this way.
    """
    check_backend(options.backend, unit.manifest, options.use_calculator)
    if options.backend in ENGINES and options.decoding != Decoding():
        raise UserError(f"--generation_backend {options.backend} decodes greedily, without constraints; say auto")
    limit = unit.manifest.model_max_length
    prompts = Prompts(unit, options)
    lengths = np.fromiter((len(prompts.ids(question)) for question in questions), np.int32, len(questions))
    for i in np.flatnonzero(lengths >= limit).tolist():
        logger.warning(
            f"question {questions[i].id} is not answered: its prompt has {lengths[i]} tokens, "
            f"and --model_max_length {limit} leaves no room for an answer"
        )
        on_result(i, unit.layout.parse(questions[i], "", truncated=True))
    order = np.argsort(lengths, kind="stable")
    order = order[: len(order) - np.count_nonzero(lengths >= limit)]
    with tqdm(total=len(order), desc=progress, disable=progress is None, unit="q") as bar:
        sorted_ = LazySequence(len(order), lambda at: questions[int(order[at])])
        max_new_tokens = LazySequence(len(order), lambda at: limit - int(lengths[order[at]]))

        def on_trace(at: int, trace: Trace) -> None:
            on_result(int(order[at]), trace)
            bar.update()

        if options.backend in ENGINES:
            _by_another(unit, sorted_, max_new_tokens, options, on_trace)
        else:
            _by_engine(Engine(unit, options, answer_kind), sorted_, on_trace)


def _by_engine(engine: Engine, questions: Sequence[Question], on_trace: Callable[[int, Trace], None]) -> None:
    """Answer the questions. One is submitted when its turn comes, so that few are in memory."""
    waiting = iter(range(len(questions)))

    def on_end(at: int) -> Callable[[Answer], None]:
        return lambda answer: on_trace(at, answer.trace)

    with engine:
        while True:
            while engine.room > 0 and (at := next(waiting, None)) is not None:
                request = Request(questions[at], decoding=engine.options.decoding)
                try:
                    engine.submit(request, on_end=on_end(at))
                except NoRoom as error:
                    logger.warning(f"question {request.question.id} is not answered: {error}")
                    on_trace(at, engine.unit.layout.parse(request.question, "", truncated=True))
            if not engine.step():
                break


def _by_another(
    unit: ModelUnit,
    questions: Sequence[Question],
    max_new_tokens: Sequence[int],
    options: GenerationOptions,
    on_trace: Callable[[int, Trace], None],
) -> None:
    """Answer the questions by another engine. It finds by itself what prompts have in common, and reads it once."""
    if not len(questions):
        return
    prompts = Prompts(unit, options)
    whole = LazySequence(len(questions), lambda at: [*prompts.shots, *prompts.ids(questions[at])])
    longest = len(prompts.shots) + unit.manifest.model_max_length

    def on_ended(at: int, ids: list[int]) -> None:
        on_trace(at, _trace(unit, questions[at], ids[: max_new_tokens[at]], bool(options.shots)))

    with considerate(), unit.merged() as model:
        requests = Requests(whole, max_new_tokens, longest)
        ENGINES[options.backend](model, requests, unit.end_id, options.batch_size, on_ended)


def _trace(unit: ModelUnit, question: Question, ids: list[int], after_answer: bool) -> Trace:
    ended = unit.end_id in ids
    ids = ids[: ids.index(unit.end_id)] if ended else ids
    text = "".join(unit.layout.prefix) + unit.tokenizer.decode(ids)
    cut = Stops(unit.tokenizer, (), after_answer).cut(text, 0)
    return replace(unit.layout.parse(question, cut, truncated=not ended and cut == text), ids=tuple(ids))
