"""A run records what it was trained on, and in which order."""

from pathlib import Path

import numpy as np
import pytest
from helpers.runs import options
from helpers.tiny import SOLUTIONS, make_tokenizer

from memreason.planning_tokens.layout import PlanningTokens
from memreason.tasks.load import subset
from memreason.training.dataset import Examples
from memreason.training.encoding import encode_solutions
from memreason.training.packing import pack
from memreason.training.record import Record, steps_for
from memreason.training.sampler import EpochSeededSampler
from memreason.training.train import train


def examples(layout: PlanningTokens | None = None) -> Examples:
    return encode_solutions(SOLUTIONS, layout or PlanningTokens(), make_tokenizer(False), 256)[0]


def test_the_digests_do_not_depend_on_how_solutions_are_rendered() -> None:
    plain, typed = (Record(examples(layout), SOLUTIONS) for layout in (PlanningTokens(), PlanningTokens(1, 1, ("a",))))
    assert (plain.questions, plain.solutions) == (typed.questions, typed.solutions)
    other = Record(examples(), [SOLUTIONS[1], *SOLUTIONS[1:]])
    assert plain.questions != other.questions and plain.solutions != other.solutions


def test_the_order_ends_with_the_last_step_and_counts_each_token_as_often_as_it_came() -> None:
    some = examples()
    record, lengths = Record(some, SOLUTIONS), some.lengths
    orders = [np.array([2, 0, 1, 3, 4]), np.array([1, 3, 0, 2, 4])]  # 4 is a blank

    def of(steps: int, per_step: int = 3) -> tuple[str, int]:
        return record.order(lambda epoch: orders[epoch], some, steps, per_step)

    assert of(1)[1] == lengths[[2, 0, 1]].sum() and of(2)[1] == lengths.sum()
    assert of(3)[1] == lengths.sum() + lengths[[1, 3, 0]].sum()
    assert len({of(steps)[0] for steps in (1, 2, 3, 4)}) == 4
    packed = pack(some, int(lengths.sum()))
    assert len(packed) == 1 and record.order(lambda _: np.array([0]), packed, 2, 3)[1] == 2 * lengths.sum()


def test_a_random_order_does_not_depend_on_the_lengths_of_texts() -> None:
    orders = [EpochSeededSampler(2, lengths, 5, grouped=False) for lengths in (range(9), range(9, 0, -1))]
    assert list(orders[0]) == list(orders[1]) and sorted(orders[0]) == list(range(9))


@pytest.mark.parametrize(("tokens", "steps"), [(100, 4), (110, 4), (115, 5), (1, 1)])
def test_the_number_of_steps_comes_nearest_to_the_tokens(tokens: int, steps: int) -> None:
    assert steps_for(tokens, examples=7, tokens_of_epoch=100, per_step=2) == steps


def test_a_smaller_subset_is_part_of_a_larger_one() -> None:
    sets = [list(subset(range(50), size, seed=3)) for size in (5, 20, 50)]
    assert set(sets[0]) < set(sets[1]) < set(sets[2]) and sets[1] == sorted(sets[1])


def test_the_order_that_is_recorded_is_the_one_in_which_examples_are_read(
    bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layouts of one seed: the same order; another seed: another one."""
    seen: list[int] = []
    read = Examples.__getitem__
    monkeypatch.setattr(Examples, "__getitem__", lambda self, index: seen.append(index) or read(self, index))
    accounts = []
    for name, more in (("plain", {"add_soft_prompts": False, "parameter_efficient_mode": "lora"}), ("typed", {})):
        run = options(bases["tied"], data, tmp_path / name, train_sampling_strategy="random", eval_strategy="no",
                      save_strategy="no", num_train_tokens=300, per_device_train_batch_size=3, **more)  # fmt: skip
        seen.clear()
        accounts.append(train(*run)[0].training)
        sampler = EpochSeededSampler(3, [1] * 4, run[2].seed, grouped=False)
        orders = [sampler.order(epoch).tolist() for epoch in range(9)]
        steps = accounts[-1].optimizer_steps or 0
        batches = [batch for order in orders for batch in (order[:3], order[3:])][:steps]
        trained_on = [index for batch in batches for index in batch]
        count = len(trained_on)  # other reads stand before and behind: the layer's trial, and the next batch
        assert any([int(i) for i in seen[start : start + count]] == trained_on for start in range(len(seen)))
    assert accounts[0].questions == accounts[1].questions and accounts[0].solutions == accounts[1].solutions
    assert accounts[0].trained_tokens == pytest.approx(300, rel=0.4)
    assert (accounts[0].optimizer_steps or 0) > (accounts[1].optimizer_steps or 0)  # its texts are shorter
