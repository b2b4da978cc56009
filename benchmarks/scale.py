"""What a larger dataset costs: time that grows with it, and memory that should not.

    python benchmarks/scale.py                 # about two minutes; a tiny model, made here
    python benchmarks/scale.py --part train --model smollm2 --steps 8

1. Training: `memreason train` on 500, 5,000 and 50,000 made-up solutions, each in a process of its own. Prints
   milliseconds an example to load and to tokenise (the first time, and from disk), memory before training and after
   some steps, the most there was until then, and examples a second.
2. Evaluation: as many questions as 100, 1,000 and 10,000. Prints memory before and after, and questions a second.

Memory is what belongs to the process alone, without the files that it has mapped (RssAnon of Linux). The most there was
(VmHWM) is with them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

TRAINING, EVALUATION = (500, 5_000, 50_000), (100, 1_000, 10_000)
BATCH, LENGTH = 8, 256


def write_dataset(folder: Path, train: int, test: int) -> None:
    """Solutions of atlas, as often as needed, each with a number in its question so that none stands twice."""
    from memreason.tasks.jsonl import export_jsonl
    from memreason.tasks.registry import load_task

    solutions = load_task("atlas").splits["train"]

    def numbered(split: str, count: int) -> Iterator[Any]:
        from dataclasses import replace

        for i in range(count):
            solution = solutions[i % len(solutions)]
            text = f"{solution.question.text} ({split} {i})"
            question = replace(solution.question, id=f"{split}-{i}", text=text, dataset="", split="")
            yield replace(solution, question=question)

    for split, count in (("train", train), ("validation", 1), ("test", test)):
        export_jsonl(numbered(split, count), folder / f"{split}.jsonl")


def make_model(folder: Path) -> None:
    """A model of two narrow layers with random weights, and a tokenizer of 2,000 tokens fit to atlas."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from memreason.tasks.registry import load_task

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=["<|end|>", "<|pad|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    texts = [str(asdict(solution)) for solution in load_task("atlas").splits["train"]]
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>")
    config = LlamaConfig(
        vocab_size=len(wrapped), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, eos_token_id=wrapped.eos_token_id, pad_token_id=wrapped.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    wrapped.save_pretrained(folder)


def memory(field: str = "RssAnon") -> float:
    """MB of this process: `RssAnon` now, or `VmHWM`, the most there was."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":")) / 1024


def timed(module: Any, name: str, note: Callable[[float], None]) -> Callable[..., Any]:
    """Have a function tell how many seconds it took; returns the function as it was."""
    function = getattr(module, name)

    def and_note(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = function(*args, **kwargs)
        note(time.perf_counter() - start)
        return result

    setattr(module, name, and_note)
    return function


def measure_training(folder: Path, model: str, size: int, steps: int) -> dict[str, float]:
    """Figures of one run of `memreason train`."""
    from memreason.config.data import DataConfig
    from memreason.config.model import ModelConfig
    from memreason.training import train as module
    from memreason.training.config import TrainingConfig
    from memreason.training.trainer import GenerationTrainer

    found: dict[str, float] = {}
    timed(module, "load_data", lambda seconds: found.update(load=1e3 * seconds / size))
    encode = timed(module, "encode_solutions", lambda seconds: found.update(first=1e3 * seconds / size))
    first_time = module.encode_solutions

    def twice(*args: Any, **kwargs: Any) -> Any:
        result = first_time(*args, **kwargs)
        start = time.perf_counter()
        encode(*args, **kwargs)
        found["again"] = 1e3 * (time.perf_counter() - start) / size
        return result

    module.encode_solutions = twice
    train = GenerationTrainer.train

    def train_and_note(self: GenerationTrainer, *args: Any, **kwargs: Any) -> Any:
        found.update(before=memory(), most=memory("VmHWM"))
        output = train(self, *args, **kwargs)
        found.update(after=memory(), rate=output.metrics["train_samples_per_second"])
        return output

    GenerationTrainer.train = train_and_note  # type: ignore[method-assign]
    module.train(
        ModelConfig(model_name_or_path=model, num_general_prefix_tokens=1, num_special_prefix_tokens=2),
        DataConfig("jsonl", str(folder), model_max_length=LENGTH),
        TrainingConfig(
            output_dir=str(folder / "run"), max_steps=steps, per_device_train_batch_size=BATCH, use_cpu=True,
            gradient_accumulation_steps=1, eval_strategy="no", save_strategy="no", load_best_model_at_end=False,
            disable_tqdm=True, report_to="none",
            train_sampling_strategy="random",  # grouped by length, the first steps of a larger set are the longer ones
        ),
    )  # fmt: skip
    return found


def measure_evaluation(folder: Path, model: str, size: int, _: int) -> dict[str, float]:
    """Figures of one evaluation of an untrained model, 20 new tokens or so a question."""
    from memreason.config.model import ModelConfig
    from memreason.evaluation.evaluate import evaluate_splits
    from memreason.generation.options import GenerationOptions
    from memreason.models.build import build
    from memreason.tasks.registry import load_task

    task = load_task("jsonl", str(folder))
    # In fp32: in bf16, oneDNN keeps some 200 MB of kernels for the shapes it has met, however many questions there are.
    unit = build(ModelConfig(model_name_or_path=model, dtype="float32"), 64)
    few = type(task)(task.name, task.answer_kind, {"test": task.splits["test"][:50]})
    evaluate_splits(unit, few, ["test"], folder / "warm", GenerationOptions(BATCH), progress=False)
    before, start = memory(), time.perf_counter()
    evaluate_splits(unit, task, ["test"], folder / "evaluation", GenerationOptions(4 * BATCH), progress=False)
    return {
        "before": before, "after": memory(), "most": memory("VmHWM"), "rate": size / (time.perf_counter() - start)
    }  # fmt: skip


def _cell(figure: float) -> str:
    return f"{figure:>17,.0f}" if figure >= 100 else f"{figure:>17.3g}"


def report(title: str, rows: dict[int, dict[str, float]], columns: dict[str, str]) -> None:
    """A table of the figures, and the largest size over the smallest."""
    print(f"{title:>18}" + "".join(f"{name:>17}" for name in columns.values()))
    for size, found in rows.items():
        print(f"{size:>18,}" + "".join(_cell(found[key]) for key in columns), flush=True)
    first, *_, last = rows.values()
    print(f"{'last / first':>18}" + "".join(f"{last[key] / first[key]:>17.2f}" for key in columns), flush=True)


def child(part: str, model: str, train: int, test: int, steps: int) -> dict[str, float]:
    """Make data, and measure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder), train, test)
        command = [sys.executable, __file__, "--child", part, folder, model, str(max(train, test)), str(steps)]
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        if run.returncode:
            sys.exit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Both parts, in folders that go away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a base model instead of the tiny one, for example smollm2")
    parser.add_argument("--steps", type=int, default=50, help="training steps of each run")
    parser.add_argument("--part", choices=("train", "evaluate"), help="one of the two only")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        part, folder, model, size, steps = arguments.child
        measure = {"train": measure_training, "evaluate": measure_evaluation}[part]
        print(json.dumps(measure(Path(folder), model, int(size), int(steps))))
        return
    random.seed(0)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or folder
        if not arguments.model:
            make_model(Path(folder))
        if arguments.part != "evaluate":
            rows = {size: child("train", model, size, 1, arguments.steps) for size in TRAINING}
            report("training examples", rows, {
                "load": "load ms each", "first": "tokenise ms", "again": "from disk ms", "most": "most MB",
                "before": "MB before", "after": "MB after", "rate": "examples/s",
            })  # fmt: skip
        if arguments.part != "train":
            rows = {size: child("evaluate", model, 10, size, 0) for size in EVALUATION}
            report("questions", rows, {"before": "MB before", "after": "MB after", "most": "most MB", "rate": "per s"})


if __name__ == "__main__":
    main()
