"""What a busy neighbour costs: training and evaluation alone, and with another process on one of the cores.

    python benchmarks/neighbour.py [--model_name_or_path smollm2] [--rounds 3]

Each round measures, in processes of their own and in turn, all threads computing whatever others do, and as memreason
has it: as many threads as others leave cores. Alone and beside a process that does nothing but count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

WAYS = {"all of them": ["--all_threads"], "memreason": []}
SECONDS = 15.0
"""How long each is measured, after a warm-up."""


def work(what: str, model: str, all_threads: bool) -> None:
    """In a process: make the work ready and measure it."""
    import torch

    from memreason.runtime.allocator import keep_freed_memory
    from memreason.runtime.cpu_threads import considerate

    if all_threads:
        os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())

    keep_freed_memory()
    with ExitStack() as stack:
        if not all_threads:
            stack.enter_context(considerate())
        measure_here(training(model, stack) if what == "training" else evaluation(model))


def measure_here(do: Callable[[], object]) -> None:
    """Warm up, wait to be told, and print how often a second it was done."""
    do()
    print("ready", flush=True)
    sys.stdin.readline()
    start, times = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS:
        do()
        times += 1
    print(json.dumps(times / seconds), flush=True)


def training(model: str, stack: ExitStack) -> Callable[[], object]:
    """One forward and backward pass over eight texts of 70 tokens."""
    import torch

    from memreason.config.model import ModelConfig
    from memreason.models.build import build
    from memreason.runtime.cpu_threads import share_cores
    from memreason.training.loss import TrainingPass

    unit = build(ModelConfig(model_name_or_path=model, lora_module="all", dtype="float32"), 128)
    ids = torch.randint(1000, (8, 70), generator=torch.Generator().manual_seed(0)).tolist()
    examples = [{"input_ids": one, "labels": [-100] * 20 + one[20:]} for one in ids]
    computed = TrainingPass(unit, examples)
    unit.model.train()
    stack.enter_context(computed.prepared())

    def step() -> None:
        share_cores()
        computed.loss(unit.model, computed.collate(examples)).backward()
        unit.model.zero_grad()

    return step


def evaluation(model: str) -> Callable[[], object]:
    """Eight questions answered at once, in at most 60 tokens each."""
    from memreason.config.model import ModelConfig
    from memreason.generation.answer import generate
    from memreason.generation.options import GenerationOptions
    from memreason.models.build import build
    from memreason.records import Question

    unit = build(ModelConfig(model_name_or_path=model, dtype="float32"), 80)
    questions = [Question(str(i), f"Is {i} the capital of Kenya?", "False") for i in range(8)]
    return lambda: generate(unit, questions, GenerationOptions(8))


def measure(what: str, model: str, flags: list[str], beside: bool) -> float:
    """Times a second, in a fresh process."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, __file__, "--work", what, "--model_name_or_path", model, *flags]
    worker = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL)  # fmt: skip
    assert worker.stdin and worker.stdout
    while worker.stdout.readline().strip() != "ready":
        if worker.poll() is not None:
            raise SystemExit(f"{what}: the process ended with code {worker.returncode}")
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if beside else None
    try:
        worker.stdin.write("go\n")
        worker.stdin.flush()
        return float(worker.stdout.readline())
    finally:
        if neighbour:
            neighbour.kill()
            neighbour.wait()
        worker.stdin.close()
        worker.wait()


def main() -> None:
    """Measure everything in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name_or_path", default="smollm2", help="a base model")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; figures are medians")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--all_threads", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.model_name_or_path, options.all_threads)
        return
    print(f"{Path('/proc/cpuinfo').read_text().partition('model name')[2].partition(':')[2].splitlines()[0].strip()}, "
          f"{os.cpu_count()} cores; float32, one neighbour")  # fmt: skip
    print(f"{'threads':>12}  {'work':>10}  {'alone /s':>9}  {'beside /s':>9}  beside/alone  alone, of all's")
    for what in ("training", "evaluation"):
        found: dict[tuple[str, bool], list[float]] = {}
        for _ in range(options.rounds):
            for name, flags in WAYS.items():
                for beside in (False, True):
                    rate = measure(what, options.model_name_or_path, flags, beside)
                    found.setdefault((name, beside), []).append(rate)
        usual = median(found[next(iter(WAYS)), False])
        for name in WAYS:
            alone, crowded = (median(found[name, flag]) for flag in (False, True))
            kept, usual_share = crowded / alone, alone / usual
            print(
                f"{name:>12}  {what:>10}  {alone:9.3f}  {crowded:9.3f}  {kept:12.0%}  {usual_share:18.1%}", flush=True
            )


if __name__ == "__main__":
    main()
