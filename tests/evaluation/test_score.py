"""Scoring texts that any model wrote, without a model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memreason.cli.main import main
from memreason.errors import UserError
from memreason.evaluation.files import write_traces
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.results import Marks, ScoreResult, read_result
from memreason.evaluation.score import score
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Step
from memreason.runtime.files import read_jsonl
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data"
SHORT, LONG, LAST = "Is it far?", "Is it far? Or is it near?", "Is it blue?"


def question(text, answer, split="test", **more):
    return {
        "question": text,
        "answer": answer,
        "cot_steps": ["[rag]: A fact.", "[reason]: So."],
        "split": split,
        **more,
    }


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "strategyqa.json"
    rows = [question(SHORT, "True"), question(LONG, "False"), question(LAST, "True")]
    path.write_text(
        json.dumps([*rows, question("Is it trained on?", "True", "train"), question("Or this?", "no", "train")])
    )
    return path


def foreign(asked, answer):
    return (
        f"Question: {asked}\n <prefix_0><rag_0> A fact.\n<prefix_0><reason_0> So.\n<answer_0> The answer is: {answer}\n"
    )


def run(tmp_path, questions, rows, **options):
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(rows))
    return score(load_task("strategyqa", str(questions)), str(path), **options).result


def test_texts_find_their_questions_and_are_scored(tmp_path, questions, capsys):
    rows = [
        {"generated_text": foreign(SHORT, "True"), "result": "correct"},
        {"generated_text": foreign("is it  FAR? Or is it near?", "True"), "result": "correct"},  # the longest match
        {"generated_text": f"Question: {LAST}\n I do not know", "result": "wrong"},
    ]
    result = run(tmp_path, questions, rows)
    assert (result.overall.n, result.overall.correct, result.overall.incorrect, result.overall.no_answer) == (
        3,
        1,
        1,
        1,
    )
    assert result.overall.well_formed == pytest.approx(2 / 3)
    assert result.overall.truncated == pytest.approx(1 / 3)  # never came to an answer line
    assert result.overall.steps == {"memory": 2, "reason": 2, "step": 1}
    assert result.without_answer_line == ("strategyqa-test-2",)
    assert result.marked == Marks(n=3, correct=2, agree=2, differing=("strategyqa-test-1",))
    folder = tmp_path / "texts-score"
    assert read_result(ScoreResult, folder / "metrics.json") == result
    rows = [row for _, row in read_jsonl(folder / "traces.jsonl")]
    assert [row["outcome"] for row in rows] == ["correct", "incorrect", "no_answer"]
    assert rows[0]["generated_text"].startswith("<prefix_0><rag_0> A fact.")
    assert not any(capsys.readouterr())  # only the command prints


@pytest.mark.parametrize("after", ["", ":"])
def test_words_in_brackets_mark_lines_as_tokens_do(tmp_path, questions, after):
    text = f"[rag]{after} A fact.\n[reason]{after} So.\n[answer]{after} The answer is: True"
    result = run(tmp_path, questions, [{"question": SHORT, "generated_text": text}])
    assert (result.overall.correct, result.overall.well_formed) == (1, 1)
    assert result.overall.steps == {"memory": 1, "reason": 1}


def test_repeated_missing_and_unmatched_are_told(tmp_path, questions):
    rows = [
        {"generated_text": foreign(SHORT, "True")},
        {"generated_text": foreign(SHORT, "False")},
        {"generated_text": foreign("Is it unheard of?", "True")},
        {"text": "no such field"},
    ]
    result = run(tmp_path, questions, rows, output_dir=str(tmp_path / "out"))
    assert result.overall.n == 2 and result.overall.correct == 1 and result.marked is None
    assert result.repeated == {"strategyqa-test-0": 2}
    assert result.missing == ("strategyqa-test-1", "strategyqa-test-2")  # of train none was asked
    assert result.unmatched == 2
    unmatched = [row for _, row in read_jsonl(tmp_path / "out/unmatched.jsonl")]
    assert [row["place"].rpartition("/")[2] for row in unmatched] == ["texts.json[2]", "texts.json[3]"]
    assert "generated_text" in unmatched[1]["reason"]


def test_our_own_traces_score_as_they_did(tmp_path, questions):
    task = load_task("strategyqa", str(questions))
    layout = PlanningTokens(2, 3, ("memory", "reason"))
    texts = ["True", "True", "Maybe"]
    traces = [
        layout.parse(s.question, layout.solution_text((Step("memory", "A fact."),), text), truncated=text == "Maybe")
        for s, text in zip(task.splits["test"], texts, strict=True)
    ]
    before, splits = write_traces(tmp_path, judge_traces(traces, "boolean"), task.splits["test"], ["test"] * 3, layout)
    after = score(load_task("strategyqa", str(questions)), str(tmp_path / "traces.jsonl")).result
    assert after.overall == before and after.splits == splits
    assert before.truncated == pytest.approx(1 / 3)


def test_an_id_counts_only_with_its_question(tmp_path, questions):
    text = "<memory_0> A fact.\n<answer_0> The answer is: True"
    rows = [
        {"id": "strategyqa-test-1", "question": SHORT, "generated_text": text},
        {"id": "strategyqa-test-1", "question": "Is it unheard of?", "generated_text": text},
    ]
    result = run(tmp_path, questions, rows)
    assert result.overall.correct == 1 and result.unmatched == 1


@pytest.mark.parametrize(
    "opening",
    [
        "Where is it?\nOptions: A. a town B. a city\n",
        "Question: Where is it? Options: A.a town B.a city \n",
        "Question: Where is it? A. a town B. a city\n",
        "Where is it?\n",
    ],
)
def test_options_may_stand_in_any_layout(tmp_path, opening):
    path = tmp_path / "commonsenseqa.json"
    other = question("Where is it? Options: A.a dog B.a cat", "A")
    asked = question("Question: Where is it? Options: A.a town B.a city ", "B")
    path.write_text(json.dumps([asked] if "A." not in opening else [other, asked]))
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([{"generated_text": opening + "<rag_0> It is.\n<answer_0> The answer is: B"}]))
    result = score(load_task("commonsenseqa", str(path)), str(texts)).result
    assert result.overall.correct == 1 and result.overall.steps == {"memory": 1}


@pytest.mark.parametrize(
    ("mark", "agrees"), [(1, 1), ("1", 1), (True, 1), ("Right", 1), (0, 0), ("wrong", 0), (False, 0)]
)
def test_a_row_may_be_marked_in_words_or_numbers(tmp_path, questions, mark, agrees):
    result = run(tmp_path, questions, [{"generated_text": foreign(SHORT, "True"), "result": mark}])
    assert (result.marked.correct, result.marked.agree) == (agrees, agrees)


@pytest.mark.parametrize("mark", ["####", None, 7, []])
def test_what_is_no_mark_marks_nothing(tmp_path, questions, mark):
    assert run(tmp_path, questions, [{"generated_text": foreign(SHORT, "True"), "result": mark}]).marked is None


def test_thoughts_are_neither_steps_nor_an_answer(tmp_path, questions):
    rows = [
        {
            "question": SHORT,
            "generated_text": "<think>\nThe answer is: False\n</think>\nIt is far.\nThe answer is: True",
        },
        {"question": LONG, "generated_text": "<think>\nThe answer is: False\nOr"},
        {"question": LAST, "generated_text": "Thinking Process:\nThe answer is: False?\n\nThe answer is: True"},
    ]
    result = run(tmp_path, questions, rows)
    assert (result.overall.correct, result.overall.no_answer, result.overall.steps) == (2, 1, {"step": 1})
    assert result.overall.flexible_accuracy == pytest.approx(2 / 3)


def test_half_a_character_is_replaced(tmp_path, questions):
    text = "It is far \ud83d, \ud83d\ude00.\nThe answer is: True"
    assert run(tmp_path, questions, [{"question": SHORT, "generated_text": text}]).overall.correct == 1
    assert "far \ufffd, \U0001f600." in (tmp_path / "texts-score/traces.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [7, [[]], [1, 2], {"A": "x"}])
def test_options_of_another_form_do_not_keep_a_row_from_its_question(tmp_path, questions, options):
    row = {"question": SHORT, "options": options, "generated_text": "The answer is: True"}
    assert run(tmp_path, questions, [row]).overall.correct == 1


def test_errors_say_what_to_do(tmp_path, questions):
    right = [{"generated_text": foreign(SHORT, "True")}]
    with pytest.raises(
        UserError, match=r"no text is about.*has no .question., and its text begins with none.*--dataset"
    ):
        run(tmp_path, questions, [{"generated_text": foreign("Is it unheard of?", "True")}])
    with pytest.raises(UserError, match="the file is empty"):
        run(tmp_path, questions, [])
    with pytest.raises(UserError, match="has the splits train, validation, test"):
        run(tmp_path, questions, right, split="dev")
    with pytest.raises(UserError, match=r"no text is about a question of strategyqa \(train\)"):
        run(tmp_path, questions, right, split="train")
    with pytest.raises(UserError, match="no such file"):
        score(load_task("strategyqa", str(questions)), str(tmp_path / "nothing.json"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--output_dir .*cannot be written to"):
        run(tmp_path, questions, right, output_dir=str(tmp_path / "file" / "out"))


def test_the_texts_are_not_written_over(tmp_path, questions):
    path = tmp_path / "traces.jsonl"
    path.write_text(json.dumps({"id": "s0", "generated_text": "The answer is: True"}) + "\n")
    before = path.read_text()
    with pytest.raises(UserError, match=r"traces\.jsonl there is the --generations file"):
        score(load_task("strategyqa", str(questions)), str(path), str(tmp_path / "." / ""))
    assert path.read_text() == before


def test_scoring_needs_no_torch():
    code = "import sys, memreason.evaluation.score; sys.exit('torch' in sys.modules or 'datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(not (DATA / "published").is_dir(), reason="the real data is not here (../shared/data)")
def test_the_published_generations_score_as_published(tmp_path):
    file = DATA / "published/strategyqa__llama-2-7b-chat.json"
    result = score(load_task("strategyqa", str(DATA / "agent")), str(file), str(tmp_path), "test").result
    assert (result.overall.correct, result.overall.n, result.overall.no_answer) == (485, 686, 1)
    assert result.marked == Marks(n=686, correct=485, agree=686, differing=())
    assert result.unmatched == 0 and len(result.missing) == 1 and result.repeated == {}


def test_texts_of_a_dataset_without_step_labels_are_well_formed_without_them(tmp_path):
    path = tmp_path / "gsm8k_test.jsonl"
    path.write_text(json.dumps({"question": "How many?", "answer": "It is <<1+1=2>>2.\n#### 2"}))
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([{"generated_text": "Question: How many?\nIt is <<1+1=2>>2.\nThe answer is: $2.00"}]))
    result = score(load_task("gsm8k", str(path)), str(texts)).result
    assert (result.overall.correct, result.overall.well_formed, result.overall.steps) == (1, 1.0, {"step": 1})
    assert "<prefix_0> It is <<1+1=2>>2.\n<prefix_0><answer_0>" in (tmp_path / "texts-score/traces.txt").read_text()


def test_the_command_prints_for_people_and_with_json_for_scripts(tmp_path, questions, capsys):
    (tmp_path / "texts.json").write_text(json.dumps([{"generated_text": foreign(SHORT, "True")}]))
    command = ["score", "--dataset", "strategyqa", "--data_path", str(questions)]
    command += ["--generations", str(tmp_path / "texts.json"), "--output_dir", str(tmp_path / "out")]
    assert main(command) == 0
    assert "1 of 1" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out/metrics.json").read_text())


def test_a_judge_of_the_steps_is_named_with_how_far_it_can_be_trusted(tmp_path, questions, capsys):
    facts, texts = tmp_path / "facts.jsonl", tmp_path / "texts.json"
    facts.write_text('{"statement": "A fact.", "true": false}\n')
    texts.write_text(json.dumps([{"generated_text": foreign(SHORT, "False")}]))
    command = ["score", "--dataset", "strategyqa", "--data_path", str(questions), "--generations", str(texts)]
    assert main([*command, "--facts", str(facts), "--measure_judge", "20"]) == 0
    assert "judge of the steps: facts" in capsys.readouterr().out
    result = read_result(ScoreResult, tmp_path / "texts-score" / "metrics.json")
    assert result.overall.errors_by_cause == {"false_memory": 1}
    assert (result.judge, result.agreement.traces) == ("facts", 20)
    assert ScoreResult.from_json(result.to_json()) == result


def test_a_judge_that_stops_leaves_nothing_and_says_so(tmp_path, questions, capsys):
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([{"generated_text": foreign(text, "False")} for text in (SHORT, LAST)]))
    command = ["score", "--dataset", "strategyqa", "--data_path", str(questions), "--generations", str(texts)]
    command += ["--judge_llm", "scripted", "--max_requests", "1", "--measure_judge", "0"]
    assert main([*command, "--request_cache", str(tmp_path / "c.sqlite")]) == 3
    assert "--max_requests 1 reached" in capsys.readouterr().err
    assert not (tmp_path / "texts-score").exists()
