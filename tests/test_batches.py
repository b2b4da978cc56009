"""From solutions to padded batches: nothing is cut, nothing real is masked, the order is reproducible."""

from pathlib import Path

import pytest
import torch
from tiny import SOLUTIONS
from transformers import AutoTokenizer

from memreason.batches import EpochSeededSampler, collate, encode_solutions
from memreason.errors import UserError
from memreason.planning_tokens import IGNORE, PlanningTokens
from memreason.records import Question, Solution, Step

LONG = Solution(Question("long", "Is Rome old?", "True"), (Step("memory", "Rome is " + "very " * 200 + "old."),))
BARE = Solution(Question("bare", "Is Rome old?", "True"))


@pytest.fixture
def tokenizer(bases: dict[str, Path]):
    return AutoTokenizer.from_pretrained(bases["untied"])


def test_what_is_too_long_is_left_out_whole_and_reported(tokenizer) -> None:
    examples, report = encode_solutions([*SOLUTIONS, LONG, BARE], PlanningTokens(), tokenizer, 128)
    assert len(examples) == report.examples == len(SOLUTIONS)
    assert (report.too_long, report.without_steps) == (("long",), ("bare",))
    text = "\n".join(report.lines(128))
    assert "1 solutions longer than --model_max_length 128" in text and "long" in text and "bare" in text


def test_nothing_left_to_train_on_is_an_error(tokenizer) -> None:
    with pytest.raises(UserError, match=r"1 are longer than --model_max_length 128, 1 have no steps"):
        encode_solutions([LONG, BARE], PlanningTokens(), tokenizer, 128)


def test_padding_is_masked_by_length_even_where_the_pad_id_is_a_real_token() -> None:
    real_pad = 7
    examples = [
        {"input_ids": [7, 7, 3], "labels": [IGNORE, 7, 3]},
        {"input_ids": [1, 2, 3, 7, 7], "labels": [IGNORE, 2, 3, 7, 7]},
    ]
    batch = collate(examples, real_pad)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["input_ids"].tolist() == [[7, 7, 3, 7, 7], [1, 2, 3, 7, 7]]
    assert batch["labels"].tolist() == [[IGNORE, 7, 3, IGNORE, IGNORE], [IGNORE, 2, 3, 7, 7]]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    lengths = list(range(100, 0, -1))

    def order(seed: int, epoch: int) -> list[int]:
        torch.manual_seed(torch.seed())  # whatever else has drawn before
        sampler = EpochSeededSampler(4, lengths, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) and order(1, 0) != order(2, 0)
    assert sorted(order(1, 0)) == list(range(100))


def test_batches_hold_texts_of_like_length() -> None:
    lengths = [10 + 7 * i % 90 for i in range(400)]
    sampler = EpochSeededSampler(8, lengths, seed=0)
    order = list(sampler)
    batches = [[lengths[i] for i in order[start : start + 8]] for start in range(0, 400, 8)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)
