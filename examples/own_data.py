"""Make a dataset of your own, look at it, train on it and ask: python examples/own_data.py

The dataset compares the weights of twenty things. Each solution recalls two facts and draws one conclusion. Pairs in
the test split do not occur in training, but the facts do. It trains for 150 steps of 4 examples; `make demo` does 400
in about five minutes on two cores of an Intel Xeon.
"""

import argparse
import json
import random
from itertools import permutations
from pathlib import Path

from memreason import load
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.tasks.load import load_data
from memreason.training.config import TrainingConfig
from memreason.training.train import train

KILOGRAMS = {
    "an apple": 0.2, "a brick": 3, "a bicycle": 12, "a cat": 4, "a chair": 6, "a cow": 600, "a car": 1400, "a dog": 25,
    "an egg": 0.06, "an elephant": 5000, "a goat": 60, "a horse": 500, "a laptop": 2, "a lion": 190, "a mouse": 0.02,
    "a piano": 250, "a sheep": 80, "a sofa": 50, "a tiger": 220, "a whale": 100000,
}  # fmt: skip

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", default="smollm2", help="base model: a hub id, a folder, or smollm2")
parser.add_argument("--num_train", type=int, default=300, help="training questions, of 380")
parser.add_argument("--folder", default="runs/own-data", help="where data and run go")
arguments = parser.parse_args()


def solution(one: str, other: str) -> dict:
    """One line of the dataset: a question, its answer, and the steps that lead to it."""
    heavier = KILOGRAMS[one] > KILOGRAMS[other]
    comparison = "more" if heavier else "not more"
    return {
        "question": f"Is {one} heavier than {other}?",
        "answer": str(heavier),
        "steps": [
            f"[memory]: {one.capitalize()} weighs about {KILOGRAMS[one]} kilograms.",
            f"[memory]: {other.capitalize()} weighs about {KILOGRAMS[other]} kilograms.",
            f"[reason]: {KILOGRAMS[one]} is {comparison} than {KILOGRAMS[other]}, so the answer is {heavier}.",
        ],
    }


# 1. Write the data: one JSON object a line, one file a split.
pairs = list(permutations(KILOGRAMS, 2))
random.Random(0).shuffle(pairs)
data = Path(arguments.folder) / "data"
data.mkdir(parents=True, exist_ok=True)
last = arguments.num_train
for split, part in {"train": pairs[:last], "validation": pairs[-80:-40], "test": pairs[-40:]}.items():
    (data / f"{split}.jsonl").write_text("".join(json.dumps(solution(*pair)) + "\n" for pair in part))

# 2. Does it load, and what is in it? (`memreason tasks jsonl --data_path …` prints the same, as a table.)
options = DataConfig(dataset="jsonl", data_path=str(data), model_max_length=256, num_test=20)
task = load_data(options)
print({split: len(solutions) for split, solutions in task.splits.items()}, *task.notes)

# 3. Train.
run = Path(arguments.folder) / "run"
train(
    ModelConfig(model_name_or_path=arguments.model, lora_module="all"),
    options,
    TrainingConfig(
        output_dir=str(run),
        num_train_epochs=2,
        learning_rate=1.2e-3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
    ),
)
print("accuracy on new pairs:", json.loads((run / "metrics.json").read_text())["after"]["test"]["accuracy"])

# 4. Ask. No program can judge these steps, but you can: compare them with the table above.
trace = load(run).answer("Is a cow heavier than a laptop?")
for step in trace.steps:
    print(f"  {step.type:>8}  {step.text}")
print(f"    answer  {trace.answer}")
