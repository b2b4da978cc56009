"""A model unit + Questions → Traces: batched greedy decoding, and one answer as a stream."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from threading import Event, Thread
from typing import Any, TypeVar

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import StoppingCriteria, TextIteratorStreamer

from memreason.errors import Unsupported, UserError
from memreason.generation.backends import ENGINES, check_backend
from memreason.generation.calculator_processor import CalculatorProcessor
from memreason.generation.draft_tokens import Guesses
from memreason.generation.options import GenerationOptions
from memreason.generation.padded_batches import OwnDecoding
from memreason.generation.scheduler import decode
from memreason.kernels.prepacked_linear import packed_weights
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.prompt_templates import ANSWER_PHRASE
from memreason.records import Question, Trace
from memreason.runtime import distributed
from memreason.runtime.cpu_threads import considerate

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
DEFAULT = GenerationOptions()
_ANSWERED = re.compile(re.escape(ANSWER_PHRASE) + r"[^\n]*\S[^\n]*\n")
_TAIL = 24
"""How many of the last tokens can hold a finished answer line."""


def generate(
    unit: ModelUnit,
    questions: Sequence[Question],
    options: GenerationOptions = DEFAULT,
    progress: str | None = None,
) -> list[Trace]:
    """Answer every question once, greedily, as `answer_each` does; traces come in the order of the questions."""
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
    """Answer every question once, greedily; ``on_result`` is given each question's index and its trace when that has
    ended.

    Nothing is kept of the answers that are not under way but the lengths of their prompts. A trace ends at the end
    token, at the end of its answer line where shots are given (a base model would go on with questions of its own), or
    is `truncated` where prompt and solution reach the unit's `model_max_length`; shots do not count towards that. A
    prompt that leaves no room for an answer gives an empty, truncated trace. ``progress`` titles a progress bar. Raises
    UserError where the backend that is asked for is not installed, or cannot decode this model.
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
    room = _Each(len(order), lambda at: limit - int(lengths[order[at]]))
    with (
        considerate(),
        unit.merged() as model,
        packed_weights(model) if options.backend not in ENGINES else nullcontext(),  # which read the model's own layers
        tqdm(total=len(order), desc=progress, disable=progress is None, unit="q") as bar,
    ):

        def on_ended(at: int, ids: list[int]) -> None:
            index = int(order[at])
            on_result(index, _trace(unit, questions[index], ids, room[at], bool(options.shots)))
            bar.update()

        own = OwnDecoding(unit, model)
        again = [] if not shot_ids or own.read_once(shot_ids) else shot_ids
        # Each is tokenised again when its turn comes, which takes little beside its answer.
        prompts = _Each(len(order), lambda at: [*again, *prompt_of(questions[int(order[at])])])
        _decode(own, prompts, room, len(again) + limit, on_ended, options)


class _Each(Sequence[Item]):
    """A sequence whose items are made when they are asked for."""

    def __init__(self, count: int, item: Callable[[int], Item]):
        self._numbers, self._item = range(count), item

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        found = self._numbers[index]
        return [self._item(i) for i in found] if isinstance(found, range) else self._item(found)


def stream(unit: ModelUnit, question: Question, use_calculator: bool = False) -> Iterator[str]:
    """The solution text of one answer, piece by piece as it is generated."""
    prompt = unit.layout.encode_prompt(unit.tokenizer, question)
    room = unit.manifest.model_max_length - len(prompt)
    if room <= 0:
        raise UserError(f"the question has {len(prompt)} tokens, and {len(prompt) + room} is the most this model takes")
    stop = Event()
    streamer = TextIteratorStreamer(unit.tokenizer, skip_prompt=True, skip_special_tokens=False)
    failures: list[BaseException] = []

    def stopped(ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.full((1,), stop.is_set(), device=ids.device)

    def run() -> None:
        try:
            with unit.merged() as model, packed_weights(model), torch.no_grad():
                own = OwnDecoding(unit, model)
                options: dict[str, Any] = {"streamer": streamer, "stopping_criteria": [stopped]}
                if use_calculator:
                    options["logits_processor"] = [CalculatorProcessor(unit.tokenizer, own.width([prompt]))]
                own.write([prompt], room, **options)
        except BaseException as error:
            failures.append(error)
            streamer.end()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield "".join(unit.layout.prefix)
        for piece in streamer:
            if said := piece.removesuffix(unit.tokenizer.convert_ids_to_tokens(unit.end_id)):
                yield said
    finally:  # also where the caller stops listening
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


def _decode(
    own: OwnDecoding,
    prompts: Sequence[list[int]],
    room: Sequence[int],
    longest: int,
    on_ended: Callable[[int, list[int]], None],
    options: GenerationOptions,
) -> None:
    """Tell ``on_ended`` the new ids of each prompt; by another engine, by continuous batching, or batch by batch where
    the model's attention needs that."""
    unit, model, shared = own.unit, own.model, own.shared
    backend, use_calculator, stop_after_answer = options.backend, options.use_calculator, bool(options.shots)
    if backend in ENGINES and len(prompts):  # they find out by themselves what prompts share; `_trace` cuts
        before = shared[0] if shared else []
        whole = _Each(len(prompts), lambda i: [*before, *prompts[i]])
        ENGINES[backend](model, whole, room, end_id=unit.end_id, slots=options.batch_size, on_ended=on_ended)
        return
    if backend == "auto" and not unit.manifest.sparse_attention:
        try:
            decode(
                model, prompts, room, end_id=unit.end_id, slots=options.batch_size, on_ended=on_ended,
                shared=shared[1] if shared else None, guess=Guesses(unit.layout, unit.tokenizer),
                forced=CalculatorProcessor(unit.tokenizer, 0).forced if use_calculator else None,
                ended=_AnswerLineWritten(unit, 0).ended if stop_after_answer else None,
                anywhere=distributed.any_rank if own.sharded else None, longest=longest,
            )  # fmt: skip
            return
        except Unsupported as reason:
            logger.info(f"batch by batch: {reason}")
    batches = own.batches(prompts, room, options.batch_size)
    calls = max(distributed.gather(len(batches))) if own.sharded else len(batches)  # every process must make as many
    for call in range(calls):
        batch = batches[call] if call < len(batches) else range(0)
        some = [prompts[at] for at in batch] or [[unit.end_id]]
        settings: dict[str, Any] = {}
        if use_calculator:
            settings["logits_processor"] = [CalculatorProcessor(unit.tokenizer, own.width(some))]
        if stop_after_answer:
            settings["stopping_criteria"] = [_AnswerLineWritten(unit, own.width(some))]
        found = own.write(some, max((room[at] for at in batch), default=1), **settings)
        for at, ids in zip(batch, found, strict=False):
            on_ended(at, ids)


def _trace(unit: ModelUnit, question: Question, ids: list[int], room: int, stop_after_answer: bool) -> Trace:
    """The trace in ``ids``, of which a row on its own would have been given only ``room``."""
    ended = unit.end_id in ids[:room]
    ids = ids[: ids.index(unit.end_id)] if ended else ids[:room]
    text = "".join(unit.layout.prefix) + unit.tokenizer.decode(ids, skip_special_tokens=False)
    if stop_after_answer and (answered := _ANSWERED.search(text)):
        text, ended = text[: answered.end()].rstrip(), True
    return unit.layout.parse(question, text, truncated=not ended)


class _AnswerLineWritten(StoppingCriteria):
    """A row is done once its answer line has ended: for models that were never taught to stop."""

    def __init__(self, unit: ModelUnit, prompt_length: int):
        self.tokenizer = unit.tokenizer
        self.prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        tails = input_ids[:, max(self.prompt_length, input_ids.shape[1] - _TAIL) :]
        texts = self.tokenizer.batch_decode(tails)
        return torch.tensor([bool(_ANSWERED.search(text)) for text in texts], device=input_ids.device)

    def ended(self, written: list[int]) -> bool:
        """The same of one row's ids; only a token with a newline in it can end a line."""
        return "\n" in self.tokenizer.decode(written[-1:]) and bool(
            _ANSWERED.search(self.tokenizer.decode(written[-_TAIL:]))
        )
