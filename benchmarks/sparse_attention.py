"""What sparse attention costs or saves against dense: python benchmarks/sparse_attention.py

SmolLM2-135M with adapters. Forward and backward passes over one solution with few steps and one with many, in eager
attention (what `memreason train` uses on a CPU) and sdpa; and greedy generation with a cache. Dense and sparse take
turns (dense sparse dense sparse …), so that a noisy machine disturbs both alike. Peak memory is that of a process of
its own for each (on a GPU: of its allocations). Prints medians, and sparse relative to dense. Nothing is expected to
be saved: the mask is applied to all scores, so sparse attention is an ablation here, and no shortcut.
"""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from memreason.config.ablations import AblationConfig
from memreason.config.model import ModelConfig
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.records import Solution
from memreason.tasks.registry import load_task
from memreason.training.collation import collate
from memreason.training.encoding import encode_solutions

ROUNDS = 5
LONG = 2048
KINDS = {"dense": AblationConfig(), "sparse": AblationConfig(use_sparse_attention=True)}


def make(kind: str) -> ModelUnit:
    """A unit with dense or sparse attention; the weights are the same."""
    config = ModelConfig(num_general_prefix_tokens=1, num_special_prefix_tokens=2, lora_dropout=0.0)
    return build(config, LONG, 0, KINDS[kind])


def solution_of(steps: int) -> Solution:
    """An atlas question whose solution goes on with the steps of others."""
    solutions = load_task("atlas").splits["train"]
    every = [step for solution in solutions for step in solution.steps]
    return replace(solutions[0], steps=tuple(every[:steps]))


def training_pass(unit: ModelUnit, steps: int, attention: str) -> tuple[Callable[[], object], int]:
    """A forward and backward pass over one solution, and its number of tokens."""
    unit.model.get_base_model().set_attn_implementation(attention)
    unit.model.train()
    examples, report = encode_solutions([solution_of(steps)], unit.layout, unit.tokenizer, LONG)
    batch = {name: tensor.to(unit.device) for name, tensor in collate(examples, unit.tokenizer.pad_token_id).items()}

    def run() -> None:
        with torch.autocast(unit.device.type, torch.bfloat16, enabled=unit.manifest.dtype == "bfloat16"):
            unit.model(**batch, use_cache=False).loss.backward()
        unit.model.zero_grad()

    return run, report.tokens


def generation(unit: ModelUnit, tokens: int) -> Callable[[], object]:
    """``tokens`` more tokens for each of four questions; none of them ends before."""
    unit.model.get_base_model().set_attn_implementation("sdpa")
    questions = [solution.question for solution in load_task("atlas").splits["train"][:4]]
    prompt = unit.layout.encode_prompt(unit.tokenizer, questions[0])
    ids = torch.tensor([prompt] * len(questions), device=unit.device)

    def run() -> None:
        with unit.merged() as model:
            model.generate(ids, attention_mask=torch.ones_like(ids), min_new_tokens=tokens, max_new_tokens=tokens,
                           do_sample=False, pad_token_id=unit.tokenizer.pad_token_id)  # fmt: skip

    return run


def compare(title: str, runs: dict[str, Callable[[], object]]) -> None:
    """Measure and print one line."""
    seconds: dict[str, list[float]] = {kind: [] for kind in runs}
    for round_ in range(ROUNDS + 1):
        for kind, run in runs.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_:  # the first round warms up
                seconds[kind].append(time.perf_counter() - start)
    dense, sparse = (statistics.median(seconds[kind]) for kind in KINDS)
    print(f"{title:<44} dense {dense:7.2f} s   sparse {sparse:7.2f} s   {sparse / dense:.2f}x the time")


def peak_memory(kind: str, steps: int, attention: str) -> float:
    """Peak MiB of two training passes; in a process of its own on a CPU."""
    unit = make(kind)
    run, _ = training_pass(unit, steps, attention)
    for _ in range(2):
        run()
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    """Measure and print."""
    cases = [(steps, attention) for steps in (3, 60) for attention in ("eager", "sdpa")]
    # First: a process counts the peak of the one that started it as its own.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for steps, attention in cases:
            dense, sparse = (pool.apply(peak_memory, (kind, steps, attention)) for kind in KINDS)
            title = f"peak memory, {steps} steps, {attention}"
            print(f"{title:<44} dense {dense:6.0f} MiB sparse {sparse:6.0f} MiB {sparse / dense:.2f}x the memory")

    units = {kind: make(kind) for kind in KINDS}
    one = units["dense"]
    print(f"{one.manifest.dtype}, {torch.get_num_threads()} threads, {one.device}, medians of {ROUNDS} rounds")
    for steps, attention in cases:
        runs = {kind: training_pass(unit, steps, attention) for kind, unit in units.items()}
        title = f"training pass, {runs['dense'][1]} tokens, {attention}"
        compare(title, {kind: run for kind, (run, _) in runs.items()})
    compare("generation, 100 tokens for 4 questions", {kind: generation(unit, 100) for kind, unit in units.items()})


if __name__ == "__main__":
    main()
