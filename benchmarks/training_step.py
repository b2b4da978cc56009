"""What makes a training step fast on this machine: python benchmarks/training_step.py

One step (forward, backward, optimizer) of 8 atlas solutions, SmolLM2-135M, adapters on all linear layers and new
rows, dropout 0.05, with one change after the other. All are run in turn (A B C … A B C …), so that a noisy machine
disturbs all alike. Prints the median seconds of each and its speed relative to the first. (`memreason benchmark`
compares the whole with other trainers.)
"""

import ctypes
import statistics
import time
from contextlib import ExitStack

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer

from memreason.config.model import ModelConfig
from memreason.kernels.lora import LoraBesideFrozen
from memreason.kernels.prepacked_linear import packed_weights
from memreason.kernels.rms_norm_rope import fused
from memreason.kernels.trainable_tokens import NewRowsBesideFrozen
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE
from memreason.runtime.allocator import keep_freed_memory
from memreason.tasks.registry import load_task
from memreason.training.encoding import encode_solutions
from memreason.training.loss import TrainingPass

ROUNDS = 7
VARIANTS = {
    "PEFT and transformers as they come, fused attention, bf16 autocast": 0,
    "+ new rows beside the frozen matrix": 1,
    "+ adapters beside their frozen layers, a cheap dropout mask, no autocast": 2,
    "+ unpadded rows, attention by small matrix products": 3,
    "+ the loss inside the head": 4,
    "+ freed memory kept": 5,
    "+ norms and rotations as one function each": 6,
    "+ frozen weights packed (what `memreason train` does on a CPU)": 7,
}
"""Each name → how many changes are made, of those below in their order."""


def set_up(way: TrainingPass, changes: int) -> None:
    """Switch one model between the variants."""
    for module in way.unit.model.modules():
        if isinstance(module, TrainableTokensLayer):
            module.__class__ = NewRowsBesideFrozen if changes >= 1 else TrainableTokensLayer
        elif isinstance(module, LoraLinear):
            module.__class__ = LoraBesideFrozen if changes >= 2 else LoraLinear
    way.unpadded, way.in_head = changes >= 3, changes >= 4
    if changes >= 5:
        keep_freed_memory()
    else:  # as glibc begins
        libc = ctypes.CDLL("libc.so.6")
        for parameter, value in ((-4, 65536), (-1, 128 * 1024), (-2, 0)):
            libc.mallopt(parameter, value)


def take_step(unit: ModelUnit, way: TrainingPass, examples: list, optimizer: torch.optim.Optimizer) -> None:
    """One optimizer step."""
    batch = way.collate(examples)
    with torch.autocast("cpu", torch.bfloat16, enabled=way.casts):
        loss = way.loss(unit.model, batch) / (batch["labels"] != IGNORE).sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def main() -> None:
    """Measure and print."""
    unit = build(ModelConfig(lora_module="all", num_general_prefix_tokens=1, num_special_prefix_tokens=2), 128)
    found, _ = encode_solutions(load_task("atlas").splits["train"][:400], unit.layout, unit.tokenizer, 128)
    examples = sorted(found, key=lambda example: len(example["input_ids"]))[196:204]
    way = TrainingPass(unit, examples)
    optimizer = torch.optim.AdamW([p for p in unit.model.parameters() if p.requires_grad], lr=1e-4)
    unit.model.train()
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for round_ in range(ROUNDS + 1):
        for name, changes in VARIANTS.items():
            set_up(way, changes)
            with ExitStack() as stack:
                stack.enter_context(way.attention())
                if changes >= 6:
                    stack.enter_context(fused(way.model))
                if changes >= 7:
                    stack.enter_context(packed_weights(way.model, with_gradients=True))
                if not way.unpadded:
                    unit.model.get_base_model().set_attn_implementation(way.usual_attention)
                start = time.perf_counter()
                take_step(unit, way, examples, optimizer)
            if round_:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    tokens = sum(len(example["input_ids"]) for example in examples)
    first = statistics.median(next(iter(seconds.values())))
    print(f"{tokens} tokens a step, {unit.manifest.dtype}, {torch.get_num_threads()} threads, {ROUNDS} rounds")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{median:6.2f} s  {tokens / median:5.0f} tokens/s  {first / median:4.2f}x  {name}")


if __name__ == "__main__":
    main()
