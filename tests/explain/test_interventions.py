"""Interventions: every trace is changed as the name says, and the control changes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS

from memreason.config.ablations import AblationConfig
from memreason.config.model import InferredTypes, ModelConfig
from memreason.errors import UserError
from memreason.evaluation.judge import judge_trace
from memreason.explain import config
from memreason.explain.baseline import Case, answer_again
from memreason.explain.continuations import Continuations
from memreason.explain.interventions import INTERVENTIONS, Continued, Effect, intervene
from memreason.explain.labelled import rewriter_of
from memreason.generation.engine import Engine
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.records import Solution, Step, Verdict
from memreason.tasks.atlas import build as build_atlas
from memreason.tasks.base import Changes, TaskData

LABELLED = TaskData("capitals", "boolean", {"test": SOLUTIONS})


@pytest.fixture(scope="module")
def atlas() -> TaskData:
    return build_atlas(num_train=200, num_validation=20, num_test=20, num_countries=40)


def unit_of(base: Path, ablations: AblationConfig | None = None, types: Sequence[str] = (), **options) -> ModelUnit:
    inferred = InferredTypes(dict.fromkeys(types, "words"), {"method": "a control"}) if types else None
    model = ModelConfig(model_name_or_path=str(base), dtype="float32", **options)
    return build(model, 320, 0, ablations, None, inferred)


@pytest.fixture(scope="module")
def engine(bases: dict[str, Path]) -> Iterator[Engine]:
    with Engine(unit_of(bases["tied"])) as engine:
        yield engine


def written(unit: ModelUnit, task: TaskData, solutions: list[Solution], answer: str | None = None) -> tuple[Case, ...]:
    """The solutions as if the model had written them."""
    layout = unit.layout
    texts = [layout.solution_text(s.steps, answer or s.question.answer) for s in solutions]
    traces = [layout.parse(s.question, text) for s, text in zip(solutions, texts, strict=True)]
    verdicts = [judge_trace(trace, task.answer_kind, task.judge) for trace in traces]
    return tuple(Case(s, verdict) for s, verdict in zip(solutions, verdicts, strict=True))


def test_the_control_changes_nothing(engine: Engine, atlas: TaskData) -> None:
    solutions = list(atlas.splits["test_seen"])[:4]
    baseline = answer_again(engine, atlas, solutions, progress=False)
    assert all(case.trace.ids and case.trace.step_logprobs for case in baseline)
    row = intervene(engine, atlas, baseline, ["no_edit"], progress=False).to_json()["no_edit"]
    assert (row["n"], row["edited"], row["changed"]) == (4, 0, 0.0)
    assert row["accuracy_before"] == row["accuracy_after"] and row["difference"] == 0


def test_the_control_changes_nothing_in_an_answer_that_ends_with_its_first_step(engine: Engine) -> None:
    layout, solution = engine.unit.layout, SOLUTIONS[0]
    trace = layout.parse(solution.question, layout.solution_text(solution.steps[:1], "").split("\n")[0])
    assert trace.answer is None and not trace.truncated and len(trace.steps) == 1
    case = Case(solution, judge_trace(trace, "boolean"))
    changes = INTERVENTIONS["no_edit"].changes(case, rewriter_of(LABELLED), layout)
    assert changes == Changes(), "its line does not end, so that nothing can stand behind it"


def test_each_intervention_gives_what_its_name_says(engine: Engine, atlas: TaskData) -> None:
    solutions = [s for s in atlas.splits["test_seen"] if len(s.steps) == 3][:3]
    found = intervene(engine, atlas, written(engine.unit, atlas, solutions), progress=False)
    rows, edits = found.to_json(), found.edits_to_json()
    assert list(rows) == list(INTERVENTIONS)
    assert {name: (row["n"], row["edited"]) for name, row in rows.items()} == {
        name: (3, 0 if name in ("memories_corrected", "no_edit") else 3) for name in INTERVENTIONS
    }
    for solution in solutions:
        texts = [step.text for step in solution.steps[:2]]
        given = {
            name: [(step["type"], step["text"]) for step in row["steps"][: row["given"]]]
            for name, row in edits[solution.question.id].items()
        }
        assert "memories_corrected" not in given  # nothing is false
        assert given["no_edit"] == [("memory", text) for text in texts]
        assert given["type_swapped"] == [("reason", text) for text in texts]
        assert given["step_removed"] == [("memory", texts[0])]
        assert given["irrelevant"][:2] == given["no_edit"] and len(given["irrelevant"]) == 3
        assert [text for _, text in given["paraphrased"]] != texts
        assert [text for _, text in given["memories_corrupted"]] != texts
        answer = solution.question.answer
        rule = {name: row["rule"] for name, row in edits[solution.question.id].items()}
        assert {rule[name] for name in ("no_edit", "paraphrased", "irrelevant", "type_swapped")} == {answer}
        assert rule["step_removed"] is None
        assert solution.question.options or rule["memories_corrupted"] not in (None, answer)
        next_ = edits[solution.question.id]["step_removed"]["steps"][1:]
        assert not next_ or next_[0]["type"] == "reason"


def test_the_same_beginning_is_continued_once(engine: Engine) -> None:
    case = written(engine.unit, LABELLED, SOLUTIONS[:1])
    continuations = Continuations(engine)
    first = intervene(engine, LABELLED, case, ["no_edit"], continuations, progress=False)
    handles = dict(continuations._handles)
    second = intervene(engine, LABELLED, case, ["no_edit"], continuations, progress=False)
    assert continuations._handles == handles and first == second


def test_without_a_table_what_cannot_be_known_is_left_out_with_a_reason(engine: Engine) -> None:
    found = intervene(engine, LABELLED, written(engine.unit, LABELLED, SOLUTIONS), progress=False).to_json()
    assert {name: row["n"] for name, row in found.items()} == {
        name: 0 if name == "memories_corrupted" else 4 for name in INTERVENTIONS
    }
    assert found["memories_corrupted"]["left_out"] == {"the dataset has no table of facts": 4}
    assert found["memories_corrupted"]["changed"] is None
    assert found["paraphrased"]["edited"] == 4
    assert all(row["as_the_rule_says"] is None and row["as_the_rule_says_n"] == 0 for row in found.values())


@pytest.mark.parametrize(
    ("options", "ablations", "undefined"),
    [
        ({}, AblationConfig(only_at_front=True), {"type_swapped", "step_removed"}),
        ({"parameter_efficient_mode": "lora", "add_soft_prompts": False}, None, {"type_swapped", "step_removed"}),
        ({"parameter_efficient_mode": "lora"}, AblationConfig(add_hard_prompts=True), set()),
        ({"extract_step_type_tokens": "memory"}, None, set()),
    ],
    ids=["front", "none", "words", "typed"],
)
def test_every_layout_is_continued(
    bases: dict[str, Path], atlas: TaskData, options: dict, ablations: AblationConfig | None, undefined: set[str]
) -> None:
    unit = unit_of(bases["tied"], ablations, **options)
    solutions = list(atlas.splits["test_seen"])[:1]
    if unit.layout.known_types == ("step",):
        solutions = [replace(s, steps=tuple(Step("step", step.text) for step in s.steps)) for s in solutions]
    with Engine(unit) as engine:
        found = intervene(engine, atlas, written(unit, atlas, solutions), progress=False).to_json()
    assert {name for name, row in found.items() if not row["n"]} == undefined
    assert all("no" in reason for name in undefined for reason in found[name]["left_out"])


@pytest.mark.parametrize(
    ("options", "ablations"),
    [
        ({"parameter_efficient_mode": "lora", "add_soft_prompts": False}, None),
        ({"extract_step_type_tokens": "none"}, None),
        ({"parameter_efficient_mode": "lora"}, AblationConfig(add_hard_prompts=True)),
        ({}, AblationConfig(only_at_front=True)),
        ({"extract_step_type_tokens": "random", "types": ["random_0", "random_1"]}, None),
        ({"extract_step_type_tokens": "shared", "types": ["shared"]}, None),
        ({"extract_step_type_tokens": "shuffled", "types": ["memory", "reason"]}, None),
        ({"parameter_efficient_mode": "none"}, None),
    ],
    ids=["plain", "prefix", "words", "front", "random", "shared", "shuffled", "full"],
)
def test_steps_that_say_facts_are_edited_whatever_their_type(
    bases: dict[str, Path], atlas: TaskData, options: dict, ablations: AblationConfig | None
) -> None:
    unit = unit_of(bases["tied"], ablations, **options)
    known = unit.layout.known_types
    whole = next(s for s in atlas.splits["test_seen"] if len(s.steps) == 3 and not s.question.options)
    # Types that say nothing: each step has the type that follows on its own.
    steps = tuple(Step(known[(at + 1) % len(known)], step.text) for at, step in enumerate(whole.steps))
    without = replace(whole, question=replace(whole.question, id="without facts"), steps=steps[2:])
    with Engine(unit) as engine:
        baseline = written(unit, atlas, [replace(whole, steps=steps), without])
        baseline = (baseline[0], replace(baseline[1], solution=replace(whole, question=without.question)))
        found = intervene(engine, atlas, baseline, config.FOR_COMPARISONS, progress=False)
    edits = found.edits_to_json()
    assert [(row["n"], row["edited"]) for row in found.to_json().values()] == [(2, 1), (1, 1), (2, 0)]
    for name, row in edits[whole.question.id].items():
        given = row["steps"][: row["given"]]
        assert [step["type"] for step in given] == [step.type for step in steps[:2]], "types stay as they stand"
        assert ([step["text"] for step in given] == [step.text for step in steps[:2]]) == (name == "no_edit")
        assert row["followed"] is None if name == "no_edit" else row["followed"] in (True, False)
    recalled = edits["without facts"]["memories_corrected"]
    assert recalled["rule"] == whole.question.answer and recalled["given"] == 2
    assert [step["text"] for step in recalled["steps"][:2]] == [step.text for step in whole.steps[:2]]
    assert {step["type"] for step in recalled["steps"][:2]} <= {*known}


def test_the_options_know_all_names() -> None:
    assert tuple(INTERVENTIONS) == config.INTERVENTIONS and set(config.FOR_COMPARISONS) <= set(INTERVENTIONS)


def test_a_model_with_plans_and_unknown_names_are_refused(bases: dict[str, Path], engine: Engine) -> None:
    with pytest.raises(UserError, match="there are memories_corrected, "):
        intervene(engine, LABELLED, (), ["memory_corrected"])
    unit = unit_of(bases["tied"], AblationConfig(plan_first=True))
    with pytest.raises(UserError, match="begins with a plan"):
        intervene(Engine(unit), LABELLED, ())


def test_figures_of_an_effect(engine: Engine) -> None:
    (case,) = written(engine.unit, LABELLED, SOLUTIONS[:1])  # gold and answer are True

    def verdict(answer: str) -> Verdict:
        outcome = "correct" if answer == "True" else "incorrect"
        return replace(case.verdict, strict=answer, outcome=outcome)

    def continued(was: str, now: str, before: str | None, rule: str | None, edited: bool = True) -> Continued:
        return Continued(replace(case, verdict=verdict(was)), edited, 1, verdict(now), rule, before)

    some = (
        continued("True", "False", "True", "False"), continued("True", "True", None, "False"),
        continued("False", "True", "False", None), continued("True", "True", "True", "True", edited=False),
        continued("False", "False", None, "True", edited=False),
    )  # fmt: skip
    row = Effect(some, Counter({"why": 2})).to_json()
    assert (row["n"], row["edited"], row["changed"]) == (5, 3, 0.4)
    assert (row["accuracy_before"], row["accuracy_after"], row["difference"]) == (0.6, 0.6, 0.0)
    assert (row["as_the_rule_says"], row["as_the_rule_says_n"]) == (0.5, 4)
    assert row["followed"] == {"n": 2, "share": 0.5}  # where nothing was edited, there is nothing to follow
    assert row["only"]["n"] == 3 and row["only"]["as_the_rule_says"] == 0.5
    assert row["interval_of_difference"][0] < 0 < row["interval_of_difference"][1]
    assert row["left_out"] == {"why": 2}


@pytest.mark.parametrize(
    ("edited", "before", "rule", "now", "followed"),
    [
        (True, "True", "False", "False", True),
        (True, "True", "False", "True", False),
        (True, "False", "False", "False", None),  # the answer went against its memories, and the edit is none to them
        (True, "False", "True", "True", None),  # what follows now was the answer before
        (True, "True", None, "False", None),
        (False, "True", "False", "False", None),
    ],
)
def test_a_change_is_followed_where_it_makes_another_answer_follow(
    engine: Engine, edited: bool, before: str, rule: str | None, now: str, followed: bool | None
) -> None:
    (case,) = written(engine.unit, LABELLED, SOLUTIONS[:1])  # its answer is True
    assert Continued(case, edited, 1, replace(case.verdict, strict=now), rule, before).followed is followed
