"""How long a training run takes on a CPU: estimated from its matrix products, and corrected while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import islice

import torch
from transformers import PreTrainedTokenizerBase

from memreason.models.base import resolve
from memreason.models.weights import multiplied_weights
from memreason.runtime import distributed
from memreason.runtime.terminal import in_words
from memreason.tasks.base import TaskData
from memreason.training.config import TrainingConfig
from memreason.training.context import RunContext

BEFORE, TRAINING, VALIDATION, TESTS = "before", "training", "validation", "tests"
"""The parts of a run."""
_TRAINING_RATE, _ANSWERING_RATE = 0.55, 0.4
"""Shares of the speed of large matrix products that training and answering reach (`memreason benchmark` shows them)."""
_SAMPLE = 64
"""Number of solutions from which the average length of all is estimated."""
_SIDE, _TRIES = 1024, 3
_TOO_EARLY = 5.0
"""Seconds of estimated work that must be done before the time it really took corrects the estimate."""


class Outlook:
    """The estimated seconds of each part of a run, and how much of each part is done."""

    def __init__(self, parts: dict[str, float], clock: Callable[[], float] = time.monotonic):
        self.parts = parts
        self._done = dict.fromkeys(parts, 0.0)
        self._clock, self._start = clock, clock()

    def __str__(self) -> str:
        if sum(self.parts.values()) < 60:
            return "this will take less than a minute or so here"
        listed = ", ".join(f"{name} {in_words(seconds)}" for name, seconds in self.parts.items() if seconds)
        return f"this will take about {in_words(sum(self.parts.values()))} here ({listed})"

    def reached(self, part: str, share: float = 1.0) -> None:
        """Note that ``share`` (0 to 1) of a part is done."""
        self._done[part] = max(self._done[part], min(share, 1.0))

    def left(self) -> float:
        """Estimated seconds until the end of the run."""
        done = sum(seconds * self._done[part] for part, seconds in self.parts.items())
        slower = (self._clock() - self._start) / done if done > _TOO_EARLY else 1.0
        return (sum(self.parts.values()) - done) * slower


def foretell(run: RunContext, task: TaskData, tokenizer: PreTrainedTokenizerBase) -> Outlook | None:
    """Estimate how long the run takes, tell the user, and return the estimate; None unless one process trains on a CPU.

    The run's data type must be known, and ``tokenizer`` must have the planning tokens. The estimate is the time of the
    matrix products, at the shares of the machine's speed that training and answering usually reach. It is right within
    about a third, and less exact for models whose layers are not matrix products.
    """
    model, args = run.model, run.args
    if args.device.type != "cpu" or distributed.launched():
        return None
    base = resolve(model.model_name_or_path)
    sample = [solution for solution in islice(task.splits["train"], _SAMPLE) if solution.steps]
    encoded = run.layout.encode_all(tokenizer, sample, [()] * len(sample))
    tokens = sum(len(text.ids) for text in encoded) / max(1, len(encoded))
    a_pass = 2.0 * multiplied_weights(base.path) * tokens / matrix_rate(getattr(torch, model.dtype))
    answer = a_pass / _ANSWERING_RATE
    tests = sum(len(task.splits[name]) for name in task.test_splits) * answer
    examples = args.num_train_epochs * len(task.splits["train"])
    if args.num_train_tokens:
        examples = args.num_train_tokens / max(1, tokens)
    if args.max_steps > 0:
        examples = args.max_steps * args.per_device_train_batch_size * args.gradient_accumulation_steps
    evaluations = _evaluations(args, examples, len(task.splits["train"]))
    backward = 2 if model.parameter_efficient_mode == "none" else 1
    outlook = Outlook({
        BEFORE: tests if run.data.k_shot and not run.ablations.use_demonstrations else 0.0,
        TRAINING: examples * a_pass * (1 + backward) / _TRAINING_RATE,
        VALIDATION: evaluations * len(task.splits.get("validation", ())) * answer,
        TESTS: tests,
    })  # fmt: skip
    run.say(str(outlook))
    return outlook


def _evaluations(args: TrainingConfig, examples: float, of_epoch: int) -> float:
    """How often the validation questions are answered while ``examples`` are trained on, ``of_epoch`` in each epoch."""
    if args.eval_strategy == "no":
        return 0.0
    if args.eval_strategy == "epoch" or not args.eval_steps:
        return math.ceil(examples / of_epoch)
    steps = examples / (args.per_device_train_batch_size * args.gradient_accumulation_steps)
    return 1 / args.eval_steps if args.eval_steps < 1 else steps / args.eval_steps


@torch.no_grad()
def matrix_rate(dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product on the CPU: the best of a few short tries."""
    a = torch.full((_SIDE, _SIDE), 0.01, dtype=dtype)
    best = float("inf")
    for _ in range(_TRIES):
        start = time.perf_counter()
        torch.nn.functional.linear(a, a)
        best = min(best, time.perf_counter() - start)
    return 2.0 * _SIDE**3 / best
