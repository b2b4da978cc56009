"""Verifying a written model: it is loaded in a fresh process by transformers alone, and must compute the same.

What the checkpoint itself computes (`Reference`) is found first, and the checkpoint is freed before the other process
starts, so that there is never a second copy of the model in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tqdm.auto import tqdm
from transformers import GenerationConfig, PreTrainedModel

from memreason.errors import UserError
from memreason.export import fresh_process
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.prompt import message_text
from memreason.records import PLAIN, Question, Solution, Step

WITHIN = {"float32": 1e-4}
"""Data type → the largest difference of two logits, where one model was merged, written and read."""
WITHIN_16_BITS = 0.1
"""The same for other data types."""
MERGED_WITHIN = {"float32": 1e-3}
"""Data type → how far logits with the adapters beside the weights may be from those with the adapters merged: the root
mean square of the differences, as a share of that of the logits around their mean. A wrong merge is far above it."""
MERGED_WITHIN_16_BITS = 0.05
"""The same for other data types, in which merging rounds every weight once more."""
_TEXTS, _POSITIONS = 10, 8
"""Logits are compared for at most so many texts, and at so many positions of each."""


@dataclass
class Reference:
    """What the checkpoint computes: ``prompts`` of the questions (ids); logits of ``texts`` at ``positions``, both with
    the adapters ``beside`` the weights and ``merged``; greedy ``answers`` to the first questions, without tokens that
    are special."""

    dtype: str
    messages: list[str]
    prompts: list[list[int]]
    texts: list[list[int]]
    positions: list[list[int]]
    beside: list[torch.Tensor] = field(default_factory=list)
    merged: list[torch.Tensor] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def example(self) -> str:
        """A message to show; there is none among the questions where all are too long for the model."""
        return next(iter(self.messages), "Is Sydney the capital of Australia?")


def reference_of(unit: ModelUnit, questions: Sequence[Question]) -> Reference:
    """The reference of a unit whose adapters are not merged yet."""
    limit = unit.manifest.model_max_length
    texts = [unit.layout.encode(unit.tokenizer, _solution(unit, question)).ids[:limit] for question in questions]
    texts = texts[:_TEXTS]
    reference = Reference(
        unit.manifest.dtype,
        [message_text(question) for question in questions],
        [unit.layout.encode_prompt(unit.tokenizer, question) for question in questions],
        texts,
        [[i * len(ids) // min(_POSITIONS, len(ids)) for i in range(min(_POSITIONS, len(ids)))] for ids in texts],
    )
    unit.model.eval()
    reference.beside = _logits(unit.model, reference)
    return reference


@torch.inference_mode()
def _logits(model: Any, reference: Reference) -> list[torch.Tensor]:
    found = []
    for ids, positions in zip(reference.texts, reference.positions, strict=True):
        every = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits
        found.append(every[0, positions].float().cpu())
    return found


def _solution(unit: ModelUnit, question: Question) -> Solution:
    """A solution with a step of every type, so that every planning token is in it; what it says does not matter."""
    steps = tuple(Step(type_, "It says so.") for type_ in unit.layout.step_types or (PLAIN,))
    return Solution(Question(question.id, question.text, question.answer or "True", question.options), steps)


@torch.inference_mode()
def add_merged(
    model: PreTrainedModel, unit: ModelUnit, reference: Reference, settings: dict[str, Any], tried: int, bar: tqdm
) -> None:
    """Add what ``model`` computes, which is ``unit``'s merged in memory: logits, and greedy answers to the first
    ``tried`` questions.

    They are generated one at a time, by transformers: in 16 bits, other numbers in a batch could flip a token.
    """
    reference.merged = _logits(model, reference)
    greedy = GenerationConfig(**{name: value for name, value in settings.items() if name != "temperature"})
    for ids in reference.prompts[:tried]:
        prompt = torch.tensor([ids], device=model.device)
        written = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=greedy)
        reference.answers.append(unit.tokenizer.decode(written[0, len(ids) :], skip_special_tokens=True))
        bar.update()


def in_fresh_process(
    folder: Path, reference: Reference, device: torch.device, work: Path, bar: tqdm | None = None, base: str = ""
) -> dict[str, Any]:
    """Load the model in ``folder`` in a process of its own, and compare it with ``reference``; returns what was found.

    With ``base`` (the folder of a base model), ``folder`` holds an adapter, which PEFT loads. ``work`` is an empty
    folder for files that the two processes exchange. Raises UserError where the model cannot be loaded or does not
    compute the same.
    """
    job = {"folder": str(folder.resolve()), "base": base, "dtype": reference.dtype, "device": str(device),
           "threads": torch.get_num_threads(), "messages": reference.messages, "answers": len(reference.answers),
           "texts": reference.texts, "positions": reference.positions}  # fmt: skip
    (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
    # -P: modules beside the script must not hide others. Offline: the folder must need nothing else.
    command = [sys.executable, "-P", str(Path(fresh_process.__file__)), str(work)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with (
        open(work / "errors.txt", "w+", encoding="utf-8") as errors,
        subprocess.Popen(
            command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            for _ in process.stdout or ():
                if bar:
                    bar.update()
            process.wait()
        finally:
            process.kill()  # where this process is interrupted; else it has ended
        if process.returncode:
            errors.seek(0)
            raise UserError(
                f"what was written cannot be used without memreason, so it is not kept: {errors.read()[-1000:]}"
            )
    result = json.loads((work / "result.json").read_text(encoding="utf-8"))
    return compared(reference, result, load_file(work / "logits.safetensors"))


def compared(reference: Reference, result: dict[str, Any], logits: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The figures of the comparison. Raises UserError where they are not good enough."""
    assert not result["memreason"], "the fresh process has imported memreason"
    dtype = result["dtype"]
    read = [logits[str(number)] for number in range(len(reference.texts))]
    against = reference.merged or reference.beside
    apart = _largest([(a - b).abs().max() for a, b in zip(read, against, strict=True)])
    by_merging = _largest([_share_apart(a, b) for a, b in zip(read, reference.beside, strict=True)])
    checks = {
        "prompts_equal": _count(result["prompts"], reference.prompts),
        "answers_equal": _count(result["answers"], reference.answers),
        "logits_apart_at_most": float(f"{apart:.2g}"),
        "logits_changed_by_merging": float(f"{by_merging:.2g}"),
    }
    if not reference.answers:
        del checks["answers_equal"]
    if not (
        apart <= WITHIN.get(dtype, WITHIN_16_BITS)
        and by_merging <= MERGED_WITHIN.get(dtype, MERGED_WITHIN_16_BITS)
        and result["prompts"] == reference.prompts
        and result["answers"] == reference.answers
    ):
        figures = ", ".join(f"{name.replace('_', ' ')} {figure}" for name, figure in checks.items())
        raise UserError(
            f"what was written, loaded without memreason, does not do what the checkpoint does ({figures}), so it is "
            "not kept; versions of transformers and peft that do not fit each other can be the cause"
        )
    return checks


def _count(theirs: Sequence[Any], ours: Sequence[Any]) -> str:
    return f"{sum(a == b for a, b in zip(theirs, ours, strict=True))} of {len(ours)}"


def _largest(values: list[torch.Tensor]) -> float:
    """The largest of the numbers; NaN if one is, which Python's max would skip."""
    return torch.stack(values).max().item() if values else 0.0


def _share_apart(theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor:
    """Root mean square of the differences, as a share of that of ``ours`` around the mean of each position."""
    spread = (ours - ours.mean(-1, keepdim=True)).square().mean().sqrt()
    return (theirs - ours).square().mean().sqrt() / spread
