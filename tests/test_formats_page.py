"""docs/formats.md says what is in the files that memreason writes."""

import runpy
from pathlib import Path

from helpers.traces import RIGHT

from memreason.evaluation.judge import judge_traces
from memreason.label.dialogue import Labelled, Rejection
from memreason.label.files import rejection_row, solution_row
from memreason.records import Solution, Step, TraceRow
from memreason.step_types import store

DOCS = Path(__file__).parents[1] / "docs"
PAGE = runpy.run_path(str(DOCS / "formats.py"))


def test_the_page_is_that_of_the_code() -> None:
    assert (DOCS / "formats.md").read_text(encoding="utf-8") == PAGE["page"](), "run python docs/formats.py"


def test_rows_have_the_fields_that_the_page_lists() -> None:
    question = RIGHT.question
    solution = Solution(question, (Step("memory", "A fact."),))
    assert judge_traces([RIGHT], "boolean")[0].to_json().keys() == TraceRow.__annotations__.keys()
    assert set(solution_row(Labelled(solution, ("A query?",)))) <= PAGE["SolutionRow"].__annotations__.keys()
    assert set(rejection_row(Rejection(question, "why", "how", ()))) <= PAGE["RejectionRow"].__annotations__.keys()
    assert set(store._RECORD) < PAGE["StepTypesRecord"].__annotations__.keys()
