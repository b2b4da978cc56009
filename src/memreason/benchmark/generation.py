"""Those who answer questions: the same prompts, the same weights with the adapters folded in, greedily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel

from memreason.benchmark import engines
from memreason.benchmark.ceiling import synchronize
from memreason.benchmark.config import FLOAT32, GENERATION, Entry
from memreason.benchmark.workload import Turn, Unsuited, Work, fastest, spread
from memreason.generation.answer import generate
from memreason.generation.options import GenerationOptions
from memreason.kernels.patching import attention_in_use
from memreason.models.unit import ModelUnit
from memreason.records import Trace
from memreason.runtime.allocator import keep_freed_memory

_TRIED = 16
"""Questions that a data type is tried on by those that answer many at once."""


def prepare(name: str, work: Work) -> Callable[[], Turn]:
    """What the named one does in its turn, after two questions to warm up, in the data type that is fastest for it
    here. Raises Unsuited where it cannot."""
    entry, everything = GENERATION[name], range(len(work.prompts))
    if reason := entry.why_not(work.dtype, work.config.gguf):
        raise Unsuited(reason)
    return fastest(
        work.config.dtypes(entry) or (work.dtype,),
        lambda dtype: _prepare(entry, work, dtype),
        lambda turn: turn(work.sample[:1] if entry.one_at_a_time else spread(everything, _TRIED)),
        lambda turn: lambda: turn(work.sample if entry.one_at_a_time else everything),
    )


def _prepare(entry: Entry, work: Work, dtype: str) -> Callable[[Sequence[int]], Turn]:
    passes: list[int] = []
    answer = ENGINES[entry.runs](work, entry, dtype, passes)
    tokenizer, prefix = work.tokenizer(), work.layout.prefix
    end_id = work.layout.end_id(tokenizer)
    bytes_read = work.weights * (4 if dtype == FLOAT32 else 2)
    if entry.reads_gguf:
        bytes_read = Path(str(work.config.gguf)).stat().st_size

    def turn(numbers: Sequence[int]) -> Turn:
        passes.clear()
        synchronize()
        start = time.perf_counter()
        found = answer(numbers)
        synchronize()
        seconds = time.perf_counter() - start
        texts, written = {}, 0
        for n, one in zip(numbers, found, strict=True):
            room = work.limit - len(work.prompts[n])
            if isinstance(one, Trace):
                ids = tokenizer.encode(one.text, add_special_tokens=False)
                texts[n] = one.text
                written += room if one.truncated else len(ids) - len(prefix)
            else:
                ids = (one[: one.index(end_id)] if end_id in one else one)[:room]
                texts[n] = "".join(prefix) + tokenizer.decode(ids, skip_special_tokens=False)
                written += len(ids)
        read = written + sum(len(work.prompts[n]) for n in numbers)
        moved = float(len(passes)) * bytes_read if passes else None
        operations = 2.0 * work.weights * read
        return Turn(seconds, len(numbers), written, operations, moved, dtype=dtype, texts=texts)

    turn(work.sample[:2])
    return turn


Answer = Callable[[Sequence[int]], "Sequence[Trace | list[int]]"]
"""From the numbers of questions to their traces, or to the ids written after their prompts."""


def _memreason(work: Work, entry: Entry, dtype: str, passes: list[int]) -> Answer:
    """What `memreason evaluate` does, but for adapters, which are folded in beforehand as everyone's are."""
    keep_freed_memory()
    unit = work.unit(dtype)
    if unit.prefix_cache() is None:  # which cannot be folded in
        unit.model = unit.merge().eval()
    _count_passes(unit.model, passes)
    options = GenerationOptions(work.config.per_device_eval_batch_size)

    def answer(numbers: Sequence[int]) -> list[Trace]:
        return generate(unit, [work.questions[n] for n in numbers], options)

    return answer


def _generate(work: Work, entry: Entry, dtype: str, passes: list[int]) -> Answer:
    """transformers' `generate`, the prompts of a batch padded on the left to the longest, or one at a time."""
    unit = work.unit(dtype)
    size = 1 if entry.one_at_a_time else work.config.per_device_eval_batch_size
    pad = unit.tokenizer.pad_token_id
    model = unit.merge().eval()
    _count_passes(model, passes)

    @torch.inference_mode()
    def answer(numbers: Sequence[int]) -> list[list[int]]:
        written = []
        for start in range(0, len(numbers), size):
            rows = [work.prompts[n] for n in numbers[start : start + size]]
            width = max(map(len, rows))
            ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
            out = model.generate(ids, attention_mask=mask, generation_config=_greedy(work, unit, rows))
            written += out[:, width:].tolist()
        return written

    return answer


def _continuous_batching(work: Work, entry: Entry, dtype: str, passes: list[int]) -> Answer:
    """transformers' own continuous batching, with room for as many answers at once as the others have.

    By itself it would take nine tenths of the free memory and fill it with zeros at each call.
    """
    unit = work.unit(dtype)
    model = unit.merge().eval()
    if not torch.cuda.is_available():  # there, most passes are replays of CUDA graphs, and not seen
        _count_passes(model, passes)
    slots, page = work.config.per_device_eval_batch_size, ContinuousBatchingConfig.page_size
    settings = ContinuousBatchingConfig(num_blocks=slots * math.ceil(work.limit / page), max_requests_per_batch=slots)

    def answer(numbers: Sequence[int]) -> list[list[int]]:
        prompts = [work.prompts[n] for n in numbers]
        usual = attention_in_use(model.config)
        found = model.generate_batch(prompts, _greedy(work, unit, prompts), settings)
        model.set_attn_implementation(usual)
        if len(found) != len(prompts):
            raise RuntimeError(f"{len(found)} of {len(prompts)} questions were answered")
        return [found[key].generated_tokens for key in sorted(found, key=lambda key: int(key.rpartition("_")[2]))]

    return answer


def _count_passes(model: PreTrainedModel | PeftModel, passes: list[int]) -> None:
    """Have each forward pass put the number of its tokens into ``passes``."""
    model.get_input_embeddings().register_forward_pre_hook(lambda module, inputs: passes.append(inputs[0].numel()))


def _greedy(work: Work, unit: ModelUnit, prompts: list[list[int]]) -> GenerationConfig:
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=work.limit - min(map(len, prompts)),
        eos_token_id=unit.end_id,
        pad_token_id=unit.tokenizer.pad_token_id,
    )


ENGINES: dict[str, Callable[[Work, Entry, str, list[int]], Answer]] = {
    "memreason": _memreason,
    "continuous-batching": _continuous_batching,
    "generate": _generate,
    "llama.cpp": lambda work, entry, dtype, passes: engines.llama_cpp(work, passes),
    "vllm": lambda work, entry, dtype, passes: engines.vllm(work, passes),
}
"""What `Entry.runs` names. Each gets the data type to work in, and notes in a list the tokens of each forward pass."""
