"""Reading sides: what may be given for a path, and what is taken from it."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.compared import row, rows, traces
from helpers.recorded_runs import RUPEE, SHILLING, make_run

from memreason.compare.sides import Reading, Side, read_side
from memreason.errors import UserError
from memreason.explain.config import ExplainConfig
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.run import explain
from memreason.records import Question, Solution, Step
from memreason.runtime.files import write_json
from memreason.tasks.base import TaskData


def figure(side: Side, measure: str) -> float:
    value, weight = np.nansum(side.runs[0].columns[measure], axis=1)
    return float(value / weight)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", [RUPEE], before=[SHILLING])


def test_a_run_its_evaluation_and_its_traces_are_the_same(run: Path) -> None:
    for path in (run, run / "evaluation", run / "evaluation" / "traces.jsonl"):
        side = read_side("typed", [path])
        assert (figure(side, "accuracy"), figure(side, "error:false_memory"), side.seeded) == (0, 1, True)
        assert figure(side, "tokens") > 10, "counted by the run's tokenizer"
    assert (figure(side := read_side("b", [run / "before"]), "accuracy"), side.seeded) == (1, False)


def test_compressed_traces(tmp_path: Path) -> None:
    plain = traces(tmp_path / "traces.jsonl", "110")
    (tmp_path / "traces.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert figure(read_side("x", [tmp_path / "traces.jsonl.gz"]), "accuracy") == pytest.approx(2 / 3)


def test_what_other_fields_say_is_kept_for_clusters(tmp_path: Path) -> None:
    side = read_side("x", [traces(tmp_path / "t.jsonl", [row(0, passage="p7"), row(1)])])
    assert side.runs[0].fields == ({"passage": "p7"}, {})


def test_the_explanation_beside_a_run_is_read_unless_it_is_about_other_answers(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [RUPEE])
    explain(ExplainConfig(str(run), no_model=True), JudgeConfig(), progress=False)
    assert not any(name.startswith("edit:") for name in read_side("x", [run]).runs[0].columns)
    path = run / "explanation" / "explanation.json"
    explanation = json.loads(path.read_text())
    repaired = {"answer": "False", "outcome": "correct", "rule": "False", "given": 1, "steps": []}
    explanation["interventions"] = {"memories_corrected": {"n": 1}, "paraphrased": {"n": 0}}
    explanation["traces"][0]["edits"] = {"memories_corrected": repaired}
    write_json(path, explanation)
    side = read_side("x", [run])
    assert (figure(side, "accuracy"), figure(side, "edit:memories_corrected")) == (0, 1)
    assert "edit:paraphrased" not in side.runs[0].columns, "it could be made with no trace"
    explanation["traces"][0]["answer"] = "something else"
    write_json(path, explanation)
    (other,) = read_side("x", [run]).runs
    assert "edit:memories_corrected" not in other.columns and "explain it anew" in other.notes[0]


class TestTextsAndLogs:
    """Files of other programs; `test_logs` has their marks."""

    TASK = TaskData(
        "made", "boolean",
        {"test": [Solution(Question(f"q{n}", f"Is {n} so?", "True", (), "made", "test"), (Step("memory", "A."),))
                  for n in range(3)]},
    )  # fmt: skip

    def test_marks_count_where_no_dataset_is_named(self, tmp_path: Path) -> None:
        said = [{"question": f"Is {n} so?", "id": f"q{n}", "generated_text": "The answer is: True", "result": mark}
                for n, mark in enumerate(("correct", "wrong"))]  # fmt: skip
        (tmp_path / "texts.json").write_text(json.dumps(said))
        assert set(read_side("x", [tmp_path / "texts.json"]).runs[0].columns) == {"accuracy"}

    def test_a_dataset_scores_texts_and_texts_about_nothing_are_counted(self, tmp_path: Path) -> None:
        said = [{"question": text, "generated_text": f"[memory] A fact.\nThe answer is: {answer}", "result": "wrong"}
                for text, answer in (("Is 0 so?", "True"), ("Is 1 so?", "False"), ("What else?", "True"))]  # fmt: skip
        (tmp_path / "texts.json").write_text(json.dumps(said))
        side = read_side("x", [tmp_path / "texts.json"], Reading(self.TASK))
        assert (figure(side, "accuracy"), figure(side, "steps")) == (0.5, 1)
        assert "1 texts are about none of the questions" in side.runs[0].notes[0]
        assert [question.id for question in side.runs[0].questions] == ["q0", "q1"]


def test_the_same_answers_have_the_same_digest(tmp_path: Path) -> None:
    first, again, other = (
        read_side("x", [traces(tmp_path / f"{n}.jsonl", each)]).runs[0]
        for n, each in enumerate((rows("10"), rows("10"), [row(0), row(1, generated_text="Other.")]))
    )
    assert first.digest == again.digest != other.digest


def test_what_cannot_be_read(tmp_path: Path, run: Path) -> None:
    def refused(*paths: Path) -> str:
        with pytest.raises(UserError) as error:
            read_side("x", paths)
        return str(error.value)

    assert "no such file or folder" in refused(tmp_path / "nothing")
    assert "neither a run nor an evaluation" in refused(tmp_path)
    unfinished = shutil.copytree(run, tmp_path / "unfinished")
    shutil.rmtree(unfinished / "evaluation")
    assert "finish it: memreason train" in refused(unfinished)
    assert "stands twice in the side x" in refused(run, run / "evaluation")
    (tmp_path / "empty.jsonl").touch()
    assert "holds no answers" in refused(tmp_path / "empty.jsonl")
    broken = traces(tmp_path / "broken.jsonl", [row(0), {**row(1), "outcome": "maybe"}])
    assert "broken.jsonl:2: not a trace (field" in refused(broken)
