"""A model unit + Questions → Traces: batched greedy decoding, and one answer as a stream."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from threading import Event, Thread
from typing import Any, TypeVar

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import DynamicCache, GenerationConfig, PreTrainedModel, StoppingCriteria, TextIteratorStreamer

from memreason import processes
from memreason.calculator_decoding import CalculatorProcessor
from memreason.continuous_batching import decode
from memreason.demonstrations import Demonstrations
from memreason.errors import Unsupported, UserError
from memreason.generation_backends import ENGINES, check_backend
from memreason.guesses import Guesses
from memreason.model import ModelUnit
from memreason.packed_weights import packed_weights
from memreason.prompt_templates import ANSWER_PHRASE, INSTRUCTION
from memreason.records import Question, Solution, Trace
from memreason.sharding import is_sharded

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
_ANSWERED = re.compile(re.escape(ANSWER_PHRASE) + r"[^\n]*\S[^\n]*\n")
_TAIL = 24
"""How many of the last tokens can hold a finished answer line."""


def few_shot_text(unit: ModelUnit, solutions: Sequence[Solution]) -> str:
    """What to put before a question for a base model: solved examples in the unit's own layout, an
    empty line after each; with none, an instruction."""
    layout = unit.layout
    if not solutions:
        return f"{INSTRUCTION}\n\n"
    return "".join(
        f"{layout.prompt_text(s.question)}{layout.solution_text(s.steps, s.question.answer)}\n\n" for s in solutions
    )


def generate(
    unit: ModelUnit,
    questions: Sequence[Question],
    batch_size: int = 32,
    shots: str = "",
    progress: str | None = None,
    demonstrations: Demonstrations | None = None,
    use_calculator: bool = False,
    backend: str = "auto",
) -> list[Trace]:
    """Answer every question once, greedily; traces come in the order of the questions. Options as of `answer_each`."""
    traces: dict[int, Trace] = {}
    answer_each(
        unit, questions, traces.__setitem__, batch_size, shots, progress, demonstrations, use_calculator, backend
    )
    return [traces[i] for i in range(len(questions))]


def answer_each(
    unit: ModelUnit,
    questions: Sequence[Question],
    take: Callable[[int, Trace], None],
    batch_size: int = 32,
    shots: str = "",
    progress: str | None = None,
    demonstrations: Demonstrations | None = None,
    use_calculator: bool = False,
    backend: str = "auto",
) -> None:
    """Answer every question once, greedily; ``take`` is given each question's index and its trace when it has ended.

    ``batch_size`` answers are under way at once, and nothing is kept of the others but the lengths of their prompts.
    A trace ends at the end token, at the end
    of its answer line where ``shots`` are given (a base model would go on with questions of its
    own), or is `truncated` where prompt and solution reach the unit's `model_max_length`; ``shots``
    do not count towards that. A prompt that leaves no room for an answer gives an empty, truncated
    trace. ``demonstrations`` are shown before each question, as a part of its prompt. ``progress``
    titles a progress bar. With ``use_calculator`` the results in `<<48/2=24>>` are computed, not guessed.
    ``backend`` is what decodes (`config.BACKENDS`); raises UserError where that is not here, or cannot.
    """
    check_backend(backend, unit.manifest, use_calculator)
    limit = unit.manifest.model_max_length
    shot_ids = unit.layout.encode_shots(unit.tokenizer, shots)
    shown = demonstrations or (lambda question: ())

    def prompt_of(question: Question) -> list[int]:
        return unit.layout.encode_prompt(unit.tokenizer, question, not shot_ids, shown(question))

    lengths = np.fromiter((len(prompt_of(question)) for question in questions), np.int32, len(questions))
    for i in np.flatnonzero(lengths >= limit).tolist():
        logger.warning(
            f"question {questions[i].id} is not answered: its prompt has {lengths[i]} tokens, "
            f"and --model_max_length {limit} leaves no room for an answer"
        )
        take(i, unit.layout.parse(questions[i], "", truncated=True))
    order = np.argsort(lengths, kind="stable")
    order = order[: len(order) - np.count_nonzero(lengths >= limit)]
    room = _Each(len(order), lambda at: limit - int(lengths[order[at]]))
    with (
        unit.merged() as model,
        packed_weights(model) if backend not in ENGINES else nullcontext(),  # which read the model's own layers
        tqdm(total=len(order), desc=progress, disable=progress is None, unit="q") as bar,
    ):

        def on_ended(at: int, ids: list[int]) -> None:
            index = int(order[at])
            take(index, _trace(unit, questions[index], ids, room[at], bool(shots)))
            bar.update()

        shared = _read_once(unit, model, shot_ids)
        # Each is tokenised again when its turn comes, which takes little beside its answer.
        prompts = _Each(len(order), lambda at: prompt_of(questions[int(order[at])]))
        _decode(unit, model, prompts, room, shared, bool(shots), use_calculator, batch_size, on_ended, backend)


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

    def run() -> None:
        try:
            with unit.merged() as model, packed_weights(model), torch.no_grad():
                before, cache = _read_once(unit, model, []) or ([], None)
                ids = torch.tensor([[*before, *prompt]], device=unit.device)
                model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    past_key_values=cache,
                    generation_config=_greedy(unit, room),
                    stopping_criteria=[lambda ids, scores, **_: torch.full((1,), stop.is_set(), device=ids.device)],
                    logits_processor=[CalculatorProcessor(unit.tokenizer, ids.shape[1])] if use_calculator else None,
                    streamer=streamer,
                )
        except BaseException as error:
            failures.append(error)
            streamer.end()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield "".join(unit.layout.prefix)
        for piece in streamer:
            yield piece.removesuffix(unit.tokenizer.convert_ids_to_tokens(unit.end_id))
    finally:  # also where the caller stops listening
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


Shared = tuple[list[int], DynamicCache]
"""Ids that stand before every prompt, and their keys and values. A trained prefix has no ids: any stand for it."""


@torch.no_grad()
def _read_once(unit: ModelUnit, model: PreTrainedModel, ids: list[int]) -> Shared | None:
    """What all prompts have in common: a trained prefix, and ``ids``, over which the model is run once."""
    cache = unit.prefix_cache()
    before = [unit.tokenizer.pad_token_id] * cache.get_seq_length() if cache is not None else []
    if ids:
        cache = DynamicCache(config=model.config) if cache is None else cache
        given = torch.tensor([ids], device=unit.device)
        model(input_ids=given, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return ([*before, *ids], cache) if cache is not None else None


def _decode(
    unit: ModelUnit,
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    room: Sequence[int],
    shared: Shared | None,
    stop_after_answer: bool,
    use_calculator: bool,
    batch_size: int,
    on_ended: Callable[[int, list[int]], None],
    backend: str,
) -> None:
    """Tell ``on_ended`` the new ids of each prompt; by another engine, by continuous batching, or batch by batch where
    the model's attention needs that."""
    sharded = is_sharded(unit.model)
    if backend in ENGINES and len(prompts):  # they find out by themselves what prompts share; `_trace` cuts
        before = shared[0] if shared else []
        whole = _Each(len(prompts), lambda i: [*before, *prompts[i]])
        ENGINES[backend](model, whole, room, end_id=unit.end_id, slots=batch_size, on_ended=on_ended)
        return
    if backend == "auto" and not unit.manifest.sparse_attention:
        try:
            decode(
                model, prompts, room, end_id=unit.end_id, slots=batch_size, on_ended=on_ended,
                shared=shared[1] if shared else None, guess=Guesses(unit.layout, unit.tokenizer),
                forced=CalculatorProcessor(unit.tokenizer, 0).forced if use_calculator else None,
                ended=_AnswerLineWritten(unit, 0).ended if stop_after_answer else None,
                anywhere=processes.any_of_us if sharded else None,
            )  # fmt: skip
            return
        except Unsupported as reason:
            logger.info(f"batch by batch: {reason}")
    asked = len(prompts)
    calls = max(processes.gather(asked)) if sharded else asked  # every process must make as many
    for start in range(0, calls, batch_size):
        batch = prompts[start : start + batch_size]  # sorted by length, so little is padded
        longest = max(room[start : start + batch_size], default=1)
        found = _generate_batch(
            unit, model, batch or [[unit.end_id]], longest, shared, stop_after_answer, use_calculator
        )
        for at in range(len(batch)):
            on_ended(start + at, found[at])


@torch.no_grad()
def _generate_batch(
    unit: ModelUnit,
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    room: int,
    shared: Shared | None,
    stop_after_answer: bool,
    use_calculator: bool,
) -> list[list[int]]:
    """At most ``room`` new ids of each prompt (padding and end tokens included), left-padded together after what is
    shared."""
    before = shared[0] if shared else []
    width = len(before) + max(map(len, prompts))
    ids = torch.full((len(prompts), width), unit.tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, : len(before)] = torch.tensor(before, dtype=ids.dtype)
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, : len(before)] = 1
        mask[row, width - len(prompt) :] = 1
    options: dict[str, Any] = {}
    if shared:
        cache = copy.deepcopy(shared[1])
        cache.batch_repeat_interleave(len(prompts))
        options = {"past_key_values": cache}
    if use_calculator:
        options["logits_processor"] = [CalculatorProcessor(unit.tokenizer, width)]
    output = model.generate(
        input_ids=ids.to(unit.device),
        attention_mask=mask.to(unit.device),
        generation_config=_greedy(unit, room),
        stopping_criteria=[_AnswerLineWritten(unit, width)] if stop_after_answer else [],
        synced_gpus=is_sharded(unit.model),
        **options,
    )
    return output[:, width:].tolist()


def _greedy(unit: ModelUnit, max_new_tokens: int) -> GenerationConfig:
    """Plain greedy decoding: nothing is taken over from the base model's own generation settings,
    which sample or penalise repetition (Qwen2.5) and know other end tokens (Llama 3)."""
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=unit.end_id,
        pad_token_id=unit.tokenizer.pad_token_id,
    )


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
