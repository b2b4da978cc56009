"""Train a small model, then look at what it wrote: python examples/train_and_inspect.py

SmolLM2-135M learns `atlas`, questions about countries. The script then shows where its wrong answers come from: from
false or missing memories, or from wrong inferences. It trains for 200 steps of 4 examples; `make demo` does 400 in
about five minutes on two cores of an Intel Xeon.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from memreason import load
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.training.config import TrainingConfig
from memreason.training.train import train

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", default="smollm2", help="base model: a hub id, a folder, or smollm2")
parser.add_argument("--num_train", type=int, default=400, help="training questions")
parser.add_argument("--num_test", type=int, default=40, help="questions of each test split")
parser.add_argument("--run", default="runs/example", help="the run's folder, which must be new")
arguments = parser.parse_args()

# 1. Train. Every option is one of `memreason train --help`; what is not given has its default.
train(
    ModelConfig(
        model_name_or_path=arguments.model,
        lora_module="all",  # adapters on attention and MLP layers
        num_general_prefix_tokens=1,
        num_special_prefix_tokens=2,
    ),
    DataConfig(
        dataset="atlas",
        num_countries=45,
        num_train=arguments.num_train,
        num_validation=20,
        num_test=arguments.num_test,
        model_max_length=128,
    ),
    TrainingConfig(
        output_dir=arguments.run,
        num_train_epochs=2,
        learning_rate=1.2e-3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
    ),
)

# 2. The figures. The run's folder holds them for each test split.
run = Path(arguments.run)
after = json.loads((run / "metrics.json").read_text())["after"]
for split in ("test_seen", "test_unseen"):
    figures = after[split]
    low, high = figures["interval"]
    print(f"{split}: {figures['accuracy']:.0%} correct (95% interval {low:.0%} to {high:.0%}), ", end="")
    print(f"wrong answers by cause: {figures['errors_by_cause']}")

# 3. The traces, one JSON object a line. Look for the first wrong answer that follows from a false memory.
traces = [json.loads(line) for line in (run / "evaluation" / "traces.jsonl").read_text().splitlines()]
print("outcomes:", dict(Counter(trace["outcome"] for trace in traces)))
for trace in traces:
    if trace["cause"] == "false_memory":
        print(f"\n{trace['question']}  (gold: {trace['gold']})")
        for step, truth in zip(trace["steps"], trace["step_truth"], strict=False):
            print(f"  {step['type']:>8}  {step['text']}  [{truth}]")
        print(f"    answer  {trace['answer']}")
        break

# 4. Ask it something else.
trace = load(run).answer("Is Sydney the capital of Australia?")
print("\nIs Sydney the capital of Australia?")
for step in trace.steps:
    print(f"  {step.type:>8}  {step.text}")
print(f"    answer  {trace.answer}")
