"""The contestants in generation: all answer the same prompts, greedily, with the same weights and merged adapters."""

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
"""With how many questions a contestant that answers many at once tries a data type."""


def prepare(name: str, work: Work) -> Callable[[], Turn]:
    """A function that takes the turn of the contestant ``name``, which has loaded its model and warmed up.

    It works in the data type that is the fastest for it on this machine. Raises Unsuited if it cannot take part.
    """
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
        answers = answer(numbers)
        synchronize()
        seconds = time.perf_counter() - start
        texts, written = {}, 0
        for n, result in zip(numbers, answers, strict=True):
            max_new_tokens = work.limit - len(work.prompts[n])
            if isinstance(result, Trace):
                ids = tokenizer.encode(result.text, add_special_tokens=False)
                texts[n] = result.text
                written += max_new_tokens if result.truncated else len(ids) - len(prefix)
            else:
                ids = (result[: result.index(end_id)] if end_id in result else result)[:max_new_tokens]
                texts[n] = "".join(prefix) + tokenizer.decode(ids, skip_special_tokens=False)
                written += len(ids)
        read = written + sum(len(work.prompts[n]) for n in numbers)
        moved = float(len(passes)) * bytes_read if passes else None
        operations = 2.0 * work.weights * read
        return Turn(seconds, len(numbers), written, operations, moved, dtype=dtype, texts=texts)

    turn(work.sample[:2])
    return turn


Answer = Callable[[Sequence[int]], "Sequence[Trace | list[int]]"]
"""From the numbers of questions to their traces, or to the generated ids without the prompts."""


def _memreason(work: Work, entry: Entry, dtype: str, passes: list[int]) -> Answer:
    """As `memreason evaluate`, but with merged adapters, as for all contestants."""
    keep_freed_memory()
    unit = work.unit(dtype)
    if unit.prefix_cache() is None:  # trained prefixes cannot be merged
        unit.model = unit.merge().eval()
    _count_passes(unit.model, passes)
    options = GenerationOptions(work.config.per_device_eval_batch_size)

    def answer(numbers: Sequence[int]) -> list[Trace]:
        return generate(unit, [work.questions[n] for n in numbers], options)

    return answer


def _generate(work: Work, entry: Entry, dtype: str, passes: list[int]) -> Answer:
    """transformers' `generate`: in batches whose prompts are padded on the left, or one prompt at a time."""
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
    """transformers' continuous batching, with room for as many answers at the same time as the others have.

    With its defaults it would take nine tenths of the free memory, and fill it with zeros at each call.
    """
    unit = work.unit(dtype)
    model = unit.merge().eval()
    if not torch.cuda.is_available():  # on CUDA, most passes are replays of CUDA graphs, which hooks do not see
        _count_passes(model, passes)
    slots, page = work.config.per_device_eval_batch_size, ContinuousBatchingConfig.page_size
    settings = ContinuousBatchingConfig(num_blocks=slots * math.ceil(work.limit / page), max_requests_per_batch=slots)

    def answer(numbers: Sequence[int]) -> list[list[int]]:
        prompts = [work.prompts[n] for n in numbers]
        usual = attention_in_use(model.config)
        results = model.generate_batch(prompts, _greedy(work, unit, prompts), settings)
        model.set_attn_implementation(usual)
        if len(results) != len(prompts):
            raise RuntimeError(f"{len(results)} of {len(prompts)} questions were answered")
        return [results[key].generated_tokens for key in sorted(results, key=lambda key: int(key.rpartition("_")[2]))]

    return answer


def _count_passes(model: PreTrainedModel | PeftModel, passes: list[int]) -> None:
    """Make each forward pass append the number of its tokens to ``passes``."""
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
"""`Entry.runs` → a function that makes the engine.

It gets the data type to work in, and a list to which the engine appends the number of tokens of each forward pass.
"""
