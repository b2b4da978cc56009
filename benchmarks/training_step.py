"""What makes a training step fast on this machine: python benchmarks/training_step.py

One step (forward, backward, optimizer) of 8 atlas solutions, SmolLM2-135M, adapters on all linear layers and
new rows, in five variants that are run in turn (A B C … A B C …), so that a noisy machine disturbs all alike.
Prints the median seconds of each and its speed relative to the first.
"""

import statistics
import time
from collections.abc import Callable

import torch
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer

from memreason.batches import collate, encode_solutions
from memreason.config import ModelConfig
from memreason.model import ModelUnit, build
from memreason.planning_tokens import IGNORE
from memreason.tasks import load_task
from memreason.token_rows import NewRowsBesideFrozen

ROUNDS = 9
VARIANTS = {
    "stock: PEFT's trainable tokens, fused attention, dropout 0.05, all logits": (False, "sdpa", 0.05, False),
    "+ logits only where there are targets": (False, "sdpa", 0.05, True),
    "+ new rows beside the frozen matrix": (True, "sdpa", 0.05, True),
    "+ eager attention (what `memreason train` does on a CPU)": (True, "eager", 0.05, True),
    "+ dropout 0 (recipes/demo.yaml)": (True, "eager", 0.0, True),
}


def set_up(unit: ModelUnit, beside: bool, attention: str, dropout: float) -> None:
    """Switch one model between the variants."""
    unit.model.get_base_model().set_attn_implementation(attention)
    for module in unit.model.modules():
        if isinstance(module, TrainableTokensLayer):
            module.__class__ = NewRowsBesideFrozen if beside else TrainableTokensLayer
        elif isinstance(module, torch.nn.Dropout):
            module.p = dropout


def make_step(unit: ModelUnit, batch: dict[str, torch.Tensor]) -> Callable[[bool], None]:
    """A function that takes one optimizer step, with or without computing all logits."""
    parameters = [p for p in unit.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    labels = batch["labels"]
    some = (labels[:, 1:] != IGNORE).any(0).nonzero().flatten()
    every = torch.arange(labels.shape[1] - 1)

    def step(only_targets: bool) -> None:
        keep = some if only_targets else every
        inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
        with torch.autocast("cpu", torch.bfloat16, enabled=unit.manifest.dtype == "bfloat16"):
            logits = unit.model(**inputs, logits_to_keep=keep, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels[:, keep + 1].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    """Measure and print."""
    unit = build(ModelConfig(lora_module="all", num_general_prefix_tokens=1, num_special_prefix_tokens=2), 128)
    examples, _ = encode_solutions(load_task("atlas").splits["train"][:400], unit.layout, unit.tokenizer, 128)
    middle = examples.lengths.argsort(kind="stable")[196:204]
    batch = collate([examples[i] for i in middle], unit.tokenizer.pad_token_id)
    step = make_step(unit, batch)
    unit.model.train()
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for round_ in range(ROUNDS + 1):
        for name, (beside, attention, dropout, only_targets) in VARIANTS.items():
            set_up(unit, beside, attention, dropout)
            start = time.perf_counter()
            step(only_targets)
            if round_:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    tokens = int(batch["attention_mask"].sum())
    first = statistics.median(next(iter(seconds.values())))
    print(f"{tokens} tokens a step, {unit.manifest.dtype}, {torch.get_num_threads()} threads, {ROUNDS} rounds")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{median:6.2f} s  {tokens / median:5.0f} tokens/s  {first / median:4.2f}x  {name}")


if __name__ == "__main__":
    main()
