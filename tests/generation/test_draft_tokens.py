"""What the layout all but decides is drafted, and what came after the same ids before."""

from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS, make_tokenizer

from memreason.generation.draft_tokens import DraftTokens
from memreason.planning_tokens.layout import PLAN_FIRST, PlanningTokens


def test_along_a_solution_the_drafts_are_right() -> None:
    layout = PlanningTokens(2, 3, ("memory", "reason"))
    tokenizer = make_tokenizer(bos=False)
    tokenizer.add_tokens(layout.names)
    drafts = DraftTokens(layout, tokenizer)
    encoded = layout.encode(tokenizer, SOLUTIONS[0])
    generated, drafted, at = encoded.ids[encoded.prompt_length :], 0, 1
    while at < len(generated):
        draft = drafts(generated[:at], 0)
        assert draft == generated[at : at + len(draft)]
        drafted += len(draft)
        at += len(draft) + 1
    # Of each line the two other special tokens, after two lines the prefix, and "The answer is:".
    assert drafted == 3 * 2 + 2 * 2 + len(tokenizer.encode(" The answer is:"))


@pytest.mark.parametrize(
    "layout", [PlanningTokens(1, 1, ("memory",), PLAN_FIRST), PlanningTokens(step_types=("memory",), words=True)]
)
def test_other_layouts_are_not_drafted(layout: PlanningTokens, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(bos=False)
    tokenizer.add_tokens(layout.names)
    drafts = DraftTokens(layout, tokenizer)
    ids = layout.encode(tokenizer, SOLUTIONS[0]).ids
    assert not any(drafts(ids[: i + 1], 0) for i in range(len(ids)))


def without_layout() -> DraftTokens:
    return DraftTokens(PlanningTokens(step_types=("memory",), words=True), make_tokenizer(bos=False))


def remember(drafts: DraftTokens, ids: list[int]) -> None:
    for at in range(1, len(ids) + 1):
        drafts(ids[:at], 1)


def test_what_came_after_the_same_ids_before_is_drafted_as_far_as_it_is_likely() -> None:
    drafts, ids = without_layout(), [5, 6, 7, 8, 9]
    remember(drafts, ids)
    assert drafts([1, 5, 6], 0) == [7]  # half the chance is taken, a quarter not
    remember(drafts, ids)
    remember(drafts, ids)
    assert drafts([1, 5, 6], 0) == [7, 8]
    assert drafts([1, 6, 5], 0) == []


def test_the_longer_context_decides_and_the_more_frequent_id_wins() -> None:
    drafts = without_layout()
    for _ in range(3):
        remember(drafts, [1, 5, 6, 7])
        remember(drafts, [2, 5, 6, 8])
        remember(drafts, [2, 5, 6, 8])
    assert drafts([1, 5, 6], 0)[0] == 7
    assert drafts([3, 5, 6], 0)[0] == 8


def test_what_is_told_again_is_not_counted_again() -> None:
    drafts = without_layout()
    for _ in range(5):
        drafts([5, 6, 7], 0)
    assert drafts([1, 5, 6], 0) == []


def test_drafts_are_few() -> None:
    drafts, ids = without_layout(), list(range(20))
    for _ in range(100):
        remember(drafts, ids)
    assert drafts([0, 1, 2], 0) == [3, 4, 5, 6, 7, 8]
