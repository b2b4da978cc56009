"""What a run will take, said before its first request."""

import json
from pathlib import Path
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.label.config import LabelConfig
from memreason.label.dialogue import KNOWLEDGE, PLANNER, Labeller
from memreason.label.estimate import ASSUMED, ENOUGH, Estimate, estimate, first_prompt
from memreason.label.prompts import load_prompts
from memreason.label.questions import Questions
from memreason.llm.base import Reply
from memreason.llm.cache import RequestCache


@pytest.fixture
def cache(tmp_path: Path) -> RequestCache:
    return RequestCache(tmp_path / "requests.sqlite")


def asked(folder: Path, rows: int, ids: Any = None, **options: Any) -> tuple[Questions, Labeller, LabelConfig]:
    path = folder / "mine.jsonl"
    lines = [{"id": ids[n] if ids else n, "question": f"Is it {n}?", "answer": "yes"} for n in range(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    config = LabelConfig(**{"input": str(path), "output": "o.jsonl", "planner": "gpt-4o-mini", **options})
    return Questions(config), Labeller(config.order, load_prompts(config.order)), config


def of(folder: Path, cache: RequestCache, rows: int = 10, done: int = 0, **options: Any) -> Estimate:
    questions, labeller, config = asked(folder, rows, **options)
    return estimate(questions, done, labeller, config, cache)


def test_each_agent_is_called_once_a_question_and_priced_by_its_tokens(tmp_path: Path, cache: RequestCache) -> None:
    found = of(tmp_path, cache)
    assert [(row.role, row.calls, row.completion_tokens) for row in found.rows] == [
        (PLANNER, 10, 10 * ASSUMED[PLANNER]), (KNOWLEDGE, 10, 10 * ASSUMED[KNOWLEDGE]),
    ]  # fmt: skip
    planner = found.rows[0]
    assert planner.cost == pytest.approx((0.15 * planner.prompt_tokens + 0.60 * planner.completion_tokens) / 1e6)
    assert found.cost == pytest.approx(sum(row.cost or 0 for row in found.rows))
    assert not any(row.measured for row in found.rows)


def test_only_what_is_left_is_estimated(tmp_path: Path, cache: RequestCache) -> None:
    found = of(tmp_path, cache, rows=10, done=7)
    assert (found.questions, found.done, found.rows[0].calls) == (3, 7, 3)


@pytest.mark.parametrize(("rows", "done"), [(0, 0), (1, 1)])
def test_nothing_to_do_costs_nothing(tmp_path: Path, cache: RequestCache, rows: int, done: int) -> None:
    found = of(tmp_path, cache, rows=rows, done=done)
    assert (found.questions, found.cost) == (0, 0.0)


def test_one_question_is_one_call(tmp_path: Path, cache: RequestCache) -> None:
    assert of(tmp_path, cache, rows=1).rows[0].calls == 1


def test_the_order_single_has_no_knowledge_agent(tmp_path: Path, cache: RequestCache) -> None:
    assert [row.role for row in of(tmp_path, cache, order="single").rows] == [PLANNER]


def test_batches_cost_half(tmp_path: Path, cache: RequestCache) -> None:
    assert of(tmp_path, cache, batch=True).cost == pytest.approx((of(tmp_path, cache).cost or 0) / 2)


def test_scripted_and_local_agents_are_free(tmp_path: Path, cache: RequestCache) -> None:
    assert of(tmp_path, cache, planner="scripted", knowledge="local:smollm2").cost == 0.0


def test_an_unknown_price_is_said_to_be_unknown(tmp_path: Path, cache: RequestCache) -> None:
    found = of(tmp_path, cache, planner="mine")
    assert found.cost is None


def test_the_knowledge_agent_has_the_planners_price_only_where_it_is_the_same_model(
    tmp_path: Path, cache: RequestCache
) -> None:
    def costs(**options: Any) -> list[bool]:
        return [row.cost is not None for row in of(tmp_path, cache, planner="mine", price="1,1", **options).rows]

    assert costs() == [True, True]
    assert costs(knowledge="other") == [True, False]
    assert costs(knowledge="other", knowledge_price="2,2") == [True, True]


def test_once_a_model_has_replied_often_enough_its_own_means_are_used(tmp_path: Path, cache: RequestCache) -> None:
    for role in (PLANNER, KNOWLEDGE):
        for number in range(ENOUGH):
            cache.put(f"{role}{number}", "run", role, "gpt-4o-mini", Reply("x", "stop", 1000, 10), 0.0)
    found = of(tmp_path, cache)
    assert [(row.prompt_tokens, row.completion_tokens, row.measured) for row in found.rows] == [(10_000, 100, True)] * 2


def test_two_questions_of_one_id_are_refused(tmp_path: Path, cache: RequestCache) -> None:
    questions, labeller, config = asked(tmp_path, 3, ids=["a", "b", "a"])
    with pytest.raises(UserError, match="two questions have the id a"):
        estimate(questions, 0, labeller, config, cache)


def test_the_first_prompt_is_that_of_the_first_question(tmp_path: Path) -> None:
    questions, labeller, _ = asked(tmp_path, 2)
    assert "Question: Is it 0?\nAnswer: True" in first_prompt(questions, labeller)[-1]["content"]
