"""Solutions → training examples (ids and labels), packed or not → padded batches of examples of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.trainer_pt_utils import LengthGroupedSampler

from memreason.demonstrations import Demonstrations
from memreason.errors import UserError
from memreason.planning_tokens import IGNORE, PlanningTokens
from memreason.records import Solution

Example = dict[str, list[int]]
"""``input_ids`` and ``labels``, of equal length; labels are `IGNORE` on the prompt. A row of packed
solutions has ``position_ids`` too, which start from 0 with each of them."""


@dataclass(frozen=True)
class EncodingReport:
    """What became of the solutions: how many are trained on, and the ids of those left out and why."""

    examples: int
    tokens: int
    too_long: tuple[str, ...]
    without_steps: tuple[str, ...]

    def lines(self, model_max_length: int) -> list[str]:
        """The report in words, for people."""
        text = [f"{self.examples} training solutions, {self.tokens / self.examples:.0f} tokens each on average"]
        if self.too_long:
            text.append(
                f"left out {len(self.too_long)} solutions longer than --model_max_length {model_max_length} "
                f"(cutting them would cut off the answer): {_some(self.too_long)}"
            )
        if self.without_steps:
            text.append(f"left out {len(self.without_steps)} questions without a solution: {_some(self.without_steps)}")
        return text


def encode_solutions(
    solutions: list[Solution],
    layout: PlanningTokens,
    tokenizer: PreTrainedTokenizerBase,
    model_max_length: int,
    demonstrations: Demonstrations | None = None,
) -> tuple[list[Example], EncodingReport]:
    """Encode what can be trained on whole; a text over ``model_max_length`` is left out, never cut.

    ``demonstrations`` choose what is shown before each question, which is a part of the prompt.
    Raises UserError where nothing remains.
    """
    examples: list[Example] = []
    too_long, without_steps = [], []
    for solution in solutions:
        if not solution.steps:
            without_steps.append(solution.question.id)
            continue
        encoded = layout.encode(tokenizer, solution, demonstrations(solution.question) if demonstrations else ())
        if len(encoded.ids) > model_max_length:
            too_long.append(solution.question.id)
            continue
        examples.append({"input_ids": encoded.ids, "labels": encoded.labels})
    if not examples:
        raise UserError(
            f"no training example is left of {len(solutions)} solutions: {len(too_long)} are longer than "
            f"--model_max_length {model_max_length}, {len(without_steps)} have no steps"
        )
    tokens = sum(len(example["input_ids"]) for example in examples)
    return examples, EncodingReport(len(examples), tokens, tuple(too_long), tuple(without_steps))


def pack(examples: list[Example], length: int) -> list[Example]:
    """Put whole examples into rows of at most ``length`` tokens: the longest first, each where it first fits.

    The same examples give the same rows. None may be longer than ``length``.
    """
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in sorted(examples, key=lambda example: -len(example["input_ids"])):
        size = len(example["input_ids"])
        at = next((i for i, free in enumerate(room) if free >= size), len(rows))
        if at == len(rows):
            rows.append([])
            room.append(length)
        rows[at].append(example)
        room[at] -= size
    return [
        {
            "input_ids": [i for example in row for i in example["input_ids"]],
            "labels": [i for example in row for i in example["labels"]],
            "position_ids": [i for example in row for i in range(len(example["input_ids"]))],
        }
        for row in rows
    ]


@torch.no_grad()
def check_apart(model: torch.nn.Module, rows: list[Example]) -> None:
    """Raise UserError where a packed solution's logits depend on the one that stands before it in its row.

    transformers' models tell packed texts apart by position ids that start anew, where their kind of
    attention can; whether this model does is tried out, on a row of two solutions.
    """
    row = next((row for row in rows if row["position_ids"].count(0) > 1), None)
    if row is None:
        return
    training, device = model.training, next(model.parameters()).device
    model.eval()
    second = row["position_ids"].index(0, 1)
    end = next((i for i in range(second + 1, len(row["input_ids"])) if row["position_ids"][i] == 0), None)
    ids = torch.tensor([row["input_ids"][:end]], device=device)
    positions = torch.tensor([row["position_ids"][:end]], device=device)
    other = ids.clone()
    other[:, :second] = ids[0, 0]
    one, two = (model(input_ids=x, position_ids=positions, use_cache=False).logits[:, second:] for x in (ids, other))
    model.train(training)
    # Where they do, that much of the logits changes; where not, nothing but rounding (in 8 bits, say).
    if (one - two).abs().max() > 0.05 * one.abs().max():
        raise UserError(
            "--mode constant_len: this model lets solutions in one row see each other (a kind of attention that "
            "knows nothing of packed texts); use --mode separate"
        )


def collate(examples: list[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded ``input_ids``, ``labels``, and ``attention_mask`` or, where rows are packed,
    ``position_ids``; each (batch, longest) int64.

    The mask is built from lengths, never from `input_ids != pad_id`: the pad id may be a real token's.
    Packed rows have none: their padding is one more text, apart from the others by its positions.
    """
    longest = max(len(example["input_ids"]) for example in examples)
    extra = "position_ids" if "position_ids" in examples[0] else "attention_mask"
    batch = {
        "input_ids": torch.full((len(examples), longest), pad_id),
        extra: torch.zeros((len(examples), longest), dtype=torch.long),
        "labels": torch.full((len(examples), longest), IGNORE),
    }
    for row, example in enumerate(examples):
        length = len(example["input_ids"])
        batch["input_ids"][row, :length] = torch.tensor(example["input_ids"])
        batch["labels"][row, :length] = torch.tensor(example["labels"])
        if extra == "attention_mask":
            batch[extra][row, :length] = 1
        else:
            batch[extra][row] = torch.tensor([*example[extra], *range(longest - length)])
    return batch


class WithBlank(Dataset):
    """The examples, and after them one without loss, for processes that find none left in an epoch's last batch."""

    def __init__(self, examples: Sequence[Example]):
        self.examples = examples
        self.blank = {name: values[:2] for name, values in examples[0].items()} | {"labels": [IGNORE, IGNORE]}

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index] if index < len(self.examples) else self.blank

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)


class EpochSeededSampler(LengthGroupedSampler):
    """Length-grouped order that depends on (seed, epoch) alone.

    The stock sampler draws from the global generator, so a resumed run would see another order than
    an uninterrupted one. Each epoch is filled up with blanks (index: the number of examples) to a multiple
    of ``fill``, so that all processes get as many batches; accelerate would repeat examples instead.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int, fill: int = 1):
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self.seed = seed
        self.epoch = 0
        self.blanks = -len(lengths) % fill

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader at each epoch's start."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed * 1_000_003 + self.epoch)
        yield from super().__iter__()
        yield from [len(self.lengths)] * self.blanks

    def __len__(self) -> int:
        return len(self.lengths) + self.blanks


def _some(ids: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
