"""From solutions to padded batches: nothing is cut, nothing real is masked, the order is reproducible."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer
from transformers.trainer_pt_utils import get_length_grouped_indices

from memreason.config.ablations import VariantConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE, PlanningTokens
from memreason.records import Question, Solution, Step
from memreason.training.dataset import Examples, in_memory
from memreason.training.encoding import EpochSeededSampler, collate, encode_solutions, pack

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


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 99))
def test_the_order_is_that_of_transformers_for_the_same_generator(lengths: list[int], size: int, seed: int) -> None:
    sampler = EpochSeededSampler(size, np.array(lengths), seed)
    sampler.set_epoch(3)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + 3)
    assert list(sampler) == get_length_grouped_indices(lengths, size, generator=generator)
    assert len(sampler) == len(lengths)


def test_batches_hold_texts_of_like_length() -> None:
    lengths = [10 + 7 * i % 90 for i in range(400)]
    sampler = EpochSeededSampler(8, lengths, seed=0)
    order = list(sampler)
    batches = [[lengths[i] for i in order[start : start + 8]] for start in range(0, 400, 8)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)


def of_sizes(sizes: list[int]) -> Examples:
    """Examples of so many tokens, the first of which is the prompt, that hold their own number."""
    ids = [[i] * size for i, size in enumerate(sizes)]
    return in_memory([{"input_ids": ids, "prompt_length": [1] * len(ids), "solution": list(range(len(ids)))}])


class TestPacking:
    @given(st.lists(st.integers(1, 10), min_size=1), st.integers(10, 30))
    def test_every_example_is_whole_in_one_row_and_no_row_is_too_long(self, sizes: list[int], length: int) -> None:
        examples = of_sizes(sizes)
        rows = list(pack(examples, length))
        assert rows == list(pack(examples, length))
        assert [len(row["input_ids"]) for row in rows] == pack(examples, length).lengths.tolist()
        assert all(len(row["input_ids"]) <= length for row in rows)
        found = []
        for row in rows:
            starts = [i for i, position in enumerate(row["position_ids"]) if position == 0]
            for start, end in zip(starts, [*starts[1:], len(row["position_ids"])], strict=True):
                assert row["position_ids"][start:end] == list(range(end - start))
                found.append({"input_ids": row["input_ids"][start:end], "labels": row["labels"][start:end]})
        assert sorted(found, key=lambda one: one["input_ids"]) == list(examples)

    @given(st.lists(st.integers(1, 10), min_size=1), st.integers(10, 30))
    def test_no_two_rows_would_go_into_one(self, sizes: list[int], length: int) -> None:
        lengths = sorted(pack(of_sizes(sizes), length).lengths.tolist())
        assert len(lengths) == 1 or sum(lengths[:2]) > length

    def test_each_goes_where_the_least_room_is_left(self) -> None:
        rows = pack(of_sizes([7, 6, 3, 4]), 10)
        assert [set(row["input_ids"]) for row in rows] == [{0, 2}, {1, 3}]

    def test_rows_of_an_example_each_stay_what_they_are(self) -> None:
        rows = pack(of_sizes([10, 10]), 10)
        assert rows[1] == {"input_ids": [1] * 10, "labels": [IGNORE] + [1] * 9, "position_ids": list(range(10))}
        assert rows[-1] == rows[1] and rows[:1] == [rows[0]]
        with pytest.raises(IndexError):
            rows[2]

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("attention", ["eager", "sdpa"])
    @pytest.mark.parametrize("sparse", [False, True])
    def test_the_loss_is_that_of_the_solutions_one_by_one(
        self, bases: dict[str, Path], shape: str, attention: str, sparse: bool
    ) -> None:
        unit = build(
            ModelConfig(model_name_or_path=str(bases[shape]), dtype="float32"), 128, 0,
            VariantConfig(use_sparse_attention=sparse),
        )  # fmt: skip
        unit.model.eval()
        unit.model.get_base_model().set_attn_implementation(attention)
        examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 200)
        rows = pack(examples, 140)
        assert len(rows) < len(examples)
        alone = sum(self.loss(unit, [example]) for example in examples)
        assert self.loss(unit, rows) == pytest.approx(alone, rel=1e-5)
        assert self.loss(unit, examples) == pytest.approx(alone, rel=1e-5)

    @staticmethod
    @torch.no_grad()
    def loss(unit: ModelUnit, examples: list[dict[str, list[int]]]) -> float:
        batch = collate(examples, unit.tokenizer.pad_token_id)
        labels = batch.pop("labels")
        logits = unit.model(**batch, use_cache=False).logits[:, :-1]
        return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"))
