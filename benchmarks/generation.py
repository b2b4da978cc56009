"""Answered questions per second: python benchmarks/generation.py (after `make demo`)

The same atlas questions, answered greedily by the same checkpoint with its adapters folded in, four
ways in turn (A B C D A B C D), so that a noisy machine disturbs all alike. Prints medians and ratios,
the share of traces that differ from those of batch 1, and the share of this machine's rate of matrix
multiplication that the fastest way reaches.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedModel

from memreason.continuous_batching import decode
from memreason.guesses import Guesses
from memreason.model import ModelUnit, load
from memreason.tasks import load_task

Ids = list[list[int]]
ROOM = 200


def ways(unit: ModelUnit, model: PreTrainedModel, slots: int) -> dict[str, Callable[[Ids], Ids]]:
    """Name → a function from prompts to what is written after each, up to the end token."""
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=ROOM, eos_token_id=unit.end_id, pad_token_id=unit.tokenizer.pad_token_id
    )

    def cut(ids: list[int]) -> list[int]:
        return ids[: ids.index(unit.end_id) + 1] if unit.end_id in ids else ids

    def batches(prompts: Ids, size: int) -> Ids:
        written = []
        for start in range(0, len(prompts), size):
            rows = prompts[start : start + size]
            width = max(map(len, rows))
            ids = torch.tensor([[unit.tokenizer.pad_token_id] * (width - len(row)) + row for row in rows])
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
            out = model.generate(ids, attention_mask=mask, generation_config=settings)[:, width:]
            written += [cut(row) for row in out.tolist()]
        return written

    def theirs(prompts: Ids) -> Ids:
        usual = model.config._attn_implementation
        found = model.generate_batch(prompts, generation_config=settings, progress_bar=False)
        model.set_attn_implementation(usual)
        return [cut(found[key].generated_tokens) for key in sorted(found, key=lambda key: int(key.rpartition("_")[2]))]

    def ours(prompts: Ids, guess: bool) -> Ids:
        guesses = Guesses(unit.layout, unit.tokenizer) if guess else None
        return decode(model, prompts, [ROOM] * len(prompts), end_id=unit.end_id, slots=slots, guess=guesses)

    return {
        "generate, one at a time": lambda prompts: batches(prompts, 1),
        f"generate, batches of {slots}, sorted": lambda prompts: batches(prompts, slots),
        "transformers' continuous batching": theirs,
        f"ours, {slots} under way": lambda prompts: ours(prompts, False),
        f"ours, {slots} under way, planning tokens guessed": lambda prompts: ours(prompts, True),
    }


def matrix_rate(dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product."""
    a = torch.randn(1536, 1536, dtype=dtype)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * 1536**3 / min(seconds)


def main() -> None:
    """Run all ways ``--rounds`` times and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="runs/demo")
    parser.add_argument("--dtype", default=None, help="default: the checkpoint's")
    parser.add_argument("--questions", type=int, default=128)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    unit = load(Path(arguments.checkpoint), None, arguments.dtype)
    task = load_task("atlas", seed=1)
    questions = [solution.question for solution in task.splits["test_seen"] + task.splits["test_unseen"]]
    prompts = [unit.layout.encode_prompt(unit.tokenizer, q) for q in questions[: arguments.questions]]
    prompts.sort(key=len)
    alone = prompts[:: max(1, len(prompts) // 16)]  # one at a time takes long: a sixteenth of them stands for all
    with unit.merged() as model, torch.no_grad():
        seconds: dict[str, list[float]] = {}
        written: dict[str, Ids] = {}
        for _ in range(arguments.rounds):
            for name, way in ways(unit, model, arguments.slots).items():
                asked = alone if "one at a time" in name else prompts
                start = time.perf_counter()
                written[name] = way(asked)
                seconds.setdefault(name, []).append((time.perf_counter() - start) / len(asked))
        tokens = sum(map(len, written[list(written)[-1]])) + sum(map(len, prompts))
        parameters = sum(p.numel() for p in model.parameters())
        rate = matrix_rate(model.dtype)
    names = list(seconds)
    print(
        f"{len(prompts)} questions, {unit.manifest.dtype}, {torch.get_num_threads()} threads, {arguments.rounds} rounds"
    )
    first = statistics.median(seconds[names[0]])
    reference = dict(zip(map(tuple, alone), written[names[0]], strict=True))
    for name in names:
        median = statistics.median(seconds[name])
        same = dict(zip(map(tuple, alone if name == names[0] else prompts), written[name], strict=True))
        differ = sum(same[prompt] != ids for prompt, ids in reference.items())
        print(f"{1 / median:7.2f} questions/s {first / median:6.1f}x  {differ:2} of {len(alone)} differ  {name}")
    busy = 2 * parameters * tokens / (statistics.median(seconds[names[-1]]) * len(prompts))
    print(f"the last one reaches {100 * busy / rate:.0f}% of the matrix rate here ({rate / 1e9:.0f} GFLOP/s)")


if __name__ == "__main__":
    main()
