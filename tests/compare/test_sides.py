"""Reading sides: what may be given for a path, and what is taken from it."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.compared import row, rows, traces
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from memreason.compare.sides import Reading, Side, read_side
from memreason.errors import UserError
from memreason.evaluation.files import read_traces
from memreason.explain.trace_rows import trace_rows
from memreason.records import Question, Solution, Step
from memreason.runtime.files import write_json
from memreason.tasks.base import TaskData


def figure(side: Side, measure: str) -> float:
    value, weight = np.nansum(side.runs[0].columns[measure], axis=1)
    return float(value / weight)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What is read of a run: traces, the mark that it is one, its tokenizer. One answer is right before training, and
    wrong from a false memory after."""
    folder = tmp_path / "run"
    traces(folder / "before" / "traces.jsonl", "1")
    wrong = row(0, "incorrect", step_truth=[False, True, True], step_kinds=["memory", "reason"], cause="false_memory")
    traces(folder / "evaluation" / "traces.jsonl", [wrong])
    (folder / "memreason.json").write_text("{}")
    words = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = WhitespaceSplit()
    words.save(str(folder / "tokenizer.json"))
    return folder


def test_a_run_its_evaluation_and_its_traces_are_the_same(run: Path) -> None:
    for path in (run, run / "evaluation", run / "evaluation" / "traces.jsonl"):
        side = read_side("typed", [path])
        assert (figure(side, "accuracy"), figure(side, "error:false_memory"), side.seeded) == (0, 1, True)
        assert figure(side, "tokens") == 10, "counted by the run's tokenizer"
    assert (figure(side := read_side("b", [run / "before"]), "accuracy"), side.seeded) == (1, False)
    assert read_side("b", [run], seeded=False).seeded is False


def test_compressed_traces(tmp_path: Path) -> None:
    plain = traces(tmp_path / "traces.jsonl", "110")
    (tmp_path / "traces.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert figure(read_side("x", [tmp_path / "traces.jsonl.gz"]), "accuracy") == pytest.approx(2 / 3)


def test_what_other_fields_say_is_kept_for_clusters(tmp_path: Path) -> None:
    side = read_side("x", [traces(tmp_path / "t.jsonl", [row(0, passage="p7"), row(1)])])
    assert side.runs[0].fields == ({"passage": "p7"}, {})


def test_the_explanation_beside_a_run_is_read_unless_it_is_about_other_answers(run: Path) -> None:
    repaired = {"answer": "True", "outcome": "correct", "rule": "True", "given": 1, "steps": [], "followed": True}
    verdicts = read_traces(run / "evaluation" / "traces.jsonl")
    rows = trace_rows(verdicts, {}, {"edits": {"q0": {"memories_corrected": repaired}}})
    made = {"memories_corrected": {"n": 1}, "paraphrased": {"n": 0}}
    path = run / "explanation" / "explanation.json"
    write_json(path, {"interventions": made, "traces": rows})
    side = read_side("x", [run])
    assert (figure(side, "accuracy"), figure(side, "edit:memories_corrected")) == (0, 1)
    assert "edit:paraphrased" not in side.runs[0].columns, "it could be made with no trace"
    write_json(path, {"interventions": None, "traces": trace_rows(verdicts, {}, {})})
    assert not any(name.startswith("edit:") for name in read_side("x", [run]).runs[0].columns), "without the model"
    rows[0]["answer"] = "something else"
    write_json(path, {"interventions": made, "traces": rows})
    (other,) = read_side("x", [run]).runs
    assert "edit:memories_corrected" not in other.columns and "explain it anew" in other.notes[0]
    write_json(path, {"traces": [{"question": "Is it so?"}]})
    with pytest.raises(UserError, match=r"explanation.json: not an explanation: 'id' is missing"):
        read_side("x", [run])


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
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.yaml").touch()
    assert "finish it: memreason train" in refused(tmp_path / "unfinished")
    assert "stands twice in the side x" in refused(run, run / "evaluation")
    (tmp_path / "empty.jsonl").touch()
    assert "holds no answers" in refused(tmp_path / "empty.jsonl")
    broken = traces(tmp_path / "broken.jsonl", [row(0), {**row(1), "outcome": "maybe"}])
    assert "broken.jsonl:2: not a trace (field" in refused(broken)
