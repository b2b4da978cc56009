"""Packed rows: every example is whole, few tokens are padding, and no solution sees another."""

from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS
from hypothesis import given
from hypothesis import strategies as st

from memreason.config.ablations import AblationConfig
from memreason.config.model import ModelConfig
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE
from memreason.training.collation import collate
from memreason.training.dataset import Examples, in_memory
from memreason.training.encoding import encode_solutions
from memreason.training.packing import pack


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
            AblationConfig(use_sparse_attention=sparse),
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
