"""docs/formats.md says what is in the files that memreason writes."""

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from helpers.traces import RIGHT

from memreason.evaluation.judge import judge_traces
from memreason.label.dialogue import Labelled, Rejection
from memreason.label.solutions_and_rejects import rejection_row, solution_row
from memreason.records import Solution, Step, TraceRow
from memreason.step_types import store

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def formats(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, as a module that `inspect` finds."""
    spec = spec_from_file_location("formats", DOCS / "formats.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "formats", module)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_code(formats: ModuleType) -> None:
    assert (DOCS / "formats.md").read_text(encoding="utf-8") == formats.page(), "run python docs/formats.py"


def test_rows_have_the_fields_that_the_page_lists(formats: ModuleType) -> None:
    question = RIGHT.question
    solution = Solution(question, (Step("memory", "A fact."),))
    measured = replace(RIGHT, step_logprobs=(-0.5,) * (len(RIGHT.steps) + 1))
    assert judge_traces([measured], "boolean")[0].to_json().keys() == TraceRow.__annotations__.keys()
    assert set(solution_row(Labelled(solution, ("A query?",)))) <= formats.SolutionRow.__annotations__.keys()
    assert set(rejection_row(Rejection(question, "why", "how", ()))) <= formats.RejectionRow.__annotations__.keys()
    assert set(store._RECORD) < formats.StepTypesRecord.__annotations__.keys()
