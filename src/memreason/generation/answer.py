"""A model unit + Questions → Traces, by greedy decoding."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import StoppingCriteria

from memreason.errors import Unsupported
from memreason.generation.backends import ENGINES, check_backend
from memreason.generation.calculator_processor import CalculatorProcessor
from memreason.generation.draft_tokens import DraftTokens
from memreason.generation.options import GenerationOptions
from memreason.generation.padded_batches import PaddedBatches, Shared
from memreason.generation.requests import LazySequence, OnEnded, Requests, Rules
from memreason.generation.scheduler import decode
from memreason.kernels.prepacked_linear import packed_weights
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.prompt import ANSWER_PHRASE
from memreason.records import Question, Trace
from memreason.runtime import distributed
from memreason.runtime.cpu_threads import considerate

logger = logging.getLogger(__name__)

DEFAULT = GenerationOptions()
_ANSWERED = re.compile(re.escape(ANSWER_PHRASE) + r"[^\n]*\S[^\n]*\n")
_TAIL = 24
"""How many of the last tokens are searched for a finished answer line."""


def generate(
    unit: ModelUnit,
    questions: Sequence[Question],
    options: GenerationOptions = DEFAULT,
    progress: str | None = None,
) -> list[Trace]:
    """Answer every question once, greedily, by `answer_each`. The traces are in the order of the questions."""
    traces: dict[int, Trace] = {}
    answer_each(unit, questions, traces.__setitem__, options, progress)
    return [traces[i] for i in range(len(questions))]


def answer_each(
    unit: ModelUnit,
    questions: Sequence[Question],
    on_result: Callable[[int, Trace], None],
    options: GenerationOptions = DEFAULT,
    progress: str | None = None,
) -> None:
    """Answer every question once, greedily. When an answer has ended, ``on_result(index of the question, trace)`` is
    called.

    Of all questions, only the lengths of their prompts are kept in memory; the rest only while an answer is generated.
    A trace ends at the end token, or, if there are shots, at the end of its answer line (a base model would continue
    with questions of its own). It is `truncated` if prompt and solution reach the unit's `model_max_length`, to which
    shots do not count. If a prompt leaves no room for an answer, the trace is empty and truncated. ``progress`` is the
    title of a progress bar. Raises UserError where the backend in ``options`` is not installed, or cannot decode this
    model.
    """
    check_backend(options.backend, unit.manifest, options.use_calculator)
    limit = unit.manifest.model_max_length
    shot_ids = unit.layout.encode_shots(unit.tokenizer, options.shots)
    shown = options.demonstrations or (lambda question: ())

    def prompt_of(question: Question) -> list[int]:
        return unit.layout.encode_prompt(unit.tokenizer, question, not shot_ids, shown(question))

    lengths = np.fromiter((len(prompt_of(question)) for question in questions), np.int32, len(questions))
    for i in np.flatnonzero(lengths >= limit).tolist():
        logger.warning(
            f"question {questions[i].id} is not answered: its prompt has {lengths[i]} tokens, "
            f"and --model_max_length {limit} leaves no room for an answer"
        )
        on_result(i, unit.layout.parse(questions[i], "", truncated=True))
    order = np.argsort(lengths, kind="stable")
    order = order[: len(order) - np.count_nonzero(lengths >= limit)]
    max_new_tokens = LazySequence(len(order), lambda at: limit - int(lengths[order[at]]))
    with (
        considerate(),
        unit.merged() as model,
        packed_weights(model) if options.backend not in ENGINES else nullcontext(),  # engines read the model's layers
        tqdm(total=len(order), desc=progress, disable=progress is None, unit="q") as bar,
    ):

        def on_ended(at: int, ids: list[int]) -> None:
            index = int(order[at])
            on_result(index, _trace(unit, questions[index], ids, max_new_tokens[at], bool(options.shots)))
            bar.update()

        batches = PaddedBatches(unit, model)
        again = [] if not shot_ids or batches.read_once(shot_ids) else shot_ids
        # Each prompt is tokenised again when its turn comes; compared with its answer, this takes little time.
        prompts = LazySequence(len(order), lambda at: [*again, *prompt_of(questions[int(order[at])])])
        _decode(batches, Requests(prompts, max_new_tokens, len(again) + limit), options, on_ended)


def _decode(batches: PaddedBatches, requests: Requests, options: GenerationOptions, on_ended: OnEnded) -> None:
    """Call ``on_ended`` with the generated ids of each prompt. What generates them is another engine, continuous
    batching, or, if the model needs it, transformers' `generate` batch by batch."""
    unit, shared = batches.unit, batches.shared
    if options.backend in ENGINES:
        if len(requests):
            ENGINES[options.backend](batches.model, _whole(requests, shared), unit.end_id, options.batch_size, on_ended)
        return
    if options.backend == "auto" and not unit.manifest.sparse_attention:
        rules = Rules(
            end_id=unit.end_id,
            forced=CalculatorProcessor(unit.tokenizer, 0).forced if options.use_calculator else None,
            is_ended=_AnswerLineWritten(unit, 0).is_ended if options.shots else None,
            draft=DraftTokens(unit.layout, unit.tokenizer),
        )
        keys_and_values = shared[1] if shared else None
        any_rank = distributed.any_rank if batches.sharded else None
        with suppress(Unsupported):  # the log says why
            decode(batches.model, requests, rules, options.batch_size, on_ended, keys_and_values, any_rank)
            return

    def settings(width: int) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        if options.use_calculator:
            chosen["logits_processor"] = [CalculatorProcessor(unit.tokenizer, width)]
        if options.shots:
            chosen["stopping_criteria"] = [_AnswerLineWritten(unit, width)]
        return chosen

    batches.decode(requests, options.batch_size, on_ended, settings)


def _whole(requests: Requests, shared: Shared | None) -> Requests:
    """The requests with the shared ids in each prompt: other engines find by themselves what prompts have in common."""
    before = shared[0] if shared else []
    prompts = LazySequence(len(requests), lambda i: [*before, *requests.prompts[i]])
    return Requests(prompts, requests.max_new_tokens, len(before) + requests.longest)


def _trace(unit: ModelUnit, question: Question, ids: list[int], max_new_tokens: int, stop_after_answer: bool) -> Trace:
    """The trace in ``ids``, cut to ``max_new_tokens``: in a batch, a row may have been generated further."""
    ended = unit.end_id in ids[:max_new_tokens]
    ids = ids[: ids.index(unit.end_id)] if ended else ids[:max_new_tokens]
    text = "".join(unit.layout.prefix) + unit.tokenizer.decode(ids, skip_special_tokens=False)
    if stop_after_answer and (answered := _ANSWERED.search(text)):
        text, ended = text[: answered.end()].rstrip(), True
    return unit.layout.parse(question, text, truncated=not ended)


class _AnswerLineWritten(StoppingCriteria):
    """Ends a row when its answer line has ended: for models that were not trained to write an end token."""

    def __init__(self, unit: ModelUnit, prompt_length: int):
        self.tokenizer = unit.tokenizer
        self.prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        tails = input_ids[:, max(self.prompt_length, input_ids.shape[1] - _TAIL) :]
        texts = self.tokenizer.batch_decode(tails)
        return torch.tensor([bool(_ANSWERED.search(text)) for text in texts], device=input_ids.device)

    def is_ended(self, generated: list[int]) -> bool:
        """The same for the ids of one row. Only a token with a newline in it can end a line."""
        return "\n" in self.tokenizer.decode(generated[-1:]) and bool(
            _ANSWERED.search(self.tokenizer.decode(generated[-_TAIL:]))
        )
