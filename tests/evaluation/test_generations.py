"""Logs of other evaluation programs, which those programs wrote themselves (logs/make.py)."""

import json
import sys
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.evaluation.generations import read_generations
from memreason.evaluation.results import Marks
from memreason.evaluation.score import score
from memreason.runtime.files import read_jsonl
from memreason.tasks.registry import load_task

LOGS = Path(__file__).with_name("logs")
FAR, NEAR, WHERE = "Is it far?", "Is it far? Or is it near?", "Where is it?"


def question(text, answer, **more):
    return {"question": text, "answer": answer, "cot_steps": ["[rag]: A fact."], "split": "test", **more}


@pytest.fixture
def yes_no(tmp_path):
    path = tmp_path / "strategyqa.json"
    path.write_text(json.dumps([question(FAR, "True"), question(NEAR, "False"), question("Or is it near?", "True")]))
    return str(path)


@pytest.fixture
def choice(tmp_path):
    return options_in(tmp_path, "A.a town B.a city")


def options_in(tmp_path, options):
    path = tmp_path / "commonsenseqa.json"
    path.write_text(json.dumps([question(f"{WHERE} Options: {options}", "B")]))
    return str(path)


def result_of(log, dataset, data_path, tmp_path):
    return score(load_task(dataset, data_path), str(log), str(tmp_path / "out")).result


def changed(tmp_path, name, change):
    """A copy of a log, each of whose rows ``change`` has changed."""
    rows = [json.loads(line) for line in (LOGS / name).read_text().splitlines()]
    path = tmp_path / name
    path.write_text("".join(json.dumps(change(row)) + "\n" for row in rows))
    return path


def test_the_samples_of_lm_eval_are_scored_once_whatever_the_number_of_filters(tmp_path, yes_no):
    assert len((LOGS / "lm_eval-yes_no.jsonl").read_text().splitlines()) == 4  # two questions, two filters
    result = result_of(LOGS / "lm_eval-yes_no.jsonl", "strategyqa", yes_no, tmp_path)
    assert (result.overall.n, result.overall.correct, result.overall.incorrect) == (2, 1, 1)
    assert result.marked == Marks(n=2, correct=1, agree=2, differing=()) and result.unmatched == 0
    texts = [row["generated_text"] for _, row in read_jsonl(tmp_path / "out/traces.jsonl")]
    assert texts == ["It is far.\nThe answer is: True", "It is near.\nThe answer is: True"]


def test_a_task_that_calls_its_question_otherwise_is_matched_by_its_prompt(tmp_path, choice):
    result = result_of(LOGS / "lm_eval-choice.jsonl", "commonsenseqa", choice, tmp_path)
    assert (result.overall.n, result.overall.flexible_accuracy) == (1, 1.0)


def test_of_the_questions_in_a_prompt_the_longest_that_ends_it_was_asked(tmp_path, yes_no):
    def nameless(row):
        return row | {"doc": {"label": row["doc"]["label"]}}

    result = result_of(changed(tmp_path, "lm_eval-yes_no.jsonl", nameless), "strategyqa", yes_no, tmp_path)
    assert [row["question"] for _, row in read_jsonl(tmp_path / "out/traces.jsonl")] == [FAR, NEAR]
    assert result.missing == ("strategyqa-test-2",)


def test_an_example_before_the_question_is_not_taken_for_it(tmp_path, yes_no):
    def another(row):  # our question is an example here, and what was asked is none of ours
        prompt = f"Q: {FAR}\nA: True\n\nQ: Is it unheard of?\nA:"
        return row | {"doc": {}, "arguments": {"gen_args_0": {"arg_0": prompt}}}

    with pytest.raises(UserError, match="its question is not among the questions"):
        result_of(changed(tmp_path, "lm_eval-yes_no.jsonl", another), "strategyqa", yes_no, tmp_path)


def test_options_in_another_order_are_another_question(tmp_path):
    other = options_in(tmp_path, "A.a city B.a town")
    with pytest.raises(UserError, match=r"options are not those of the question .*-0, or stand in another order"):
        result_of(LOGS / "lm_eval-choice.jsonl", "commonsenseqa", other, tmp_path)
    listed = changed(tmp_path, "lm_eval-choice.jsonl", lambda row: row | {"doc": {}})
    with pytest.raises(UserError, match="its question is not among the questions"):
        result_of(listed, "commonsenseqa", other, tmp_path)


@pytest.mark.parametrize("form", ["({}) {}", "{}) {}", "{}. {}", "{}"])
def test_letters_before_options_do_not_count(tmp_path, choice, form):
    texts = ["a town", "a city"]
    if form != "{}":
        texts = [form.format(*pair) for pair in zip("AB", texts, strict=True)]
    log = changed(tmp_path, "lm_eval-choice.jsonl", lambda row: row | {"doc": {"question": WHERE, "options": texts}})
    assert result_of(log, "commonsenseqa", choice, tmp_path).overall.n == 1


def test_likelihoods_are_no_texts(tmp_path, choice):
    with pytest.raises(UserError, match=r"likelihoods.jsonl:1: the responses are likelihoods.*generate_until"):
        result_of(LOGS / "lm_eval-likelihoods.jsonl", "commonsenseqa", choice, tmp_path)


def test_a_log_of_inspect_as_json_is_scored(tmp_path, choice):
    result = result_of(LOGS / "inspect.json", "commonsenseqa", choice, tmp_path)
    assert (result.overall.n, result.overall.flexible_accuracy, result.unmatched) == (1, 1.0, 0)
    assert result.overall.no_answer == 1  # "ANSWER: B" is no answer line, and Inspect marks it as right
    assert result.marked == Marks(n=1, correct=1, agree=0, differing=("commonsenseqa-test-0",))


def test_an_archive_of_inspect_is_scored_with_all_its_epochs(tmp_path, yes_no):
    if sys.version_info < (3, 14):
        pytest.importorskip("backports.zstd", reason="logs of Inspect need backports.zstd, before Python 3.14")
    result = result_of(LOGS / "inspect.eval", "strategyqa", yes_no, tmp_path)
    assert (result.overall.n, result.overall.correct) == (4, 2)
    assert result.repeated == {"strategyqa-test-0": 2, "strategyqa-test-1": 2}
    assert result.marked == Marks(n=4, correct=2, agree=4, differing=())


def inspect_log(tmp_path, **changes):
    log = json.loads((LOGS / "inspect.json").read_text())
    log["samples"][0].update(changes)
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log, indent=1))
    return path


def test_a_sample_of_inspect_may_have_messages_and_parts(tmp_path):
    parts = [{"role": "system", "content": "Be brief."}]
    parts.append({"role": "user", "content": [{"type": "text", "text": WHERE}, {"type": "image", "image": "x"}]})
    ((_, row),) = read_generations(inspect_log(tmp_path, input=parts))
    assert row["question"].strip() == WHERE and row["options"] == ["a town", "a city"]


def test_a_question_that_only_begins_like_ours_is_another(tmp_path, choice):
    log = inspect_log(tmp_path, input=f"{WHERE} Or is it nowhere?", choices=None)
    with pytest.raises(UserError, match="its question is not among the questions"):
        result_of(log, "commonsenseqa", choice, tmp_path)


def test_with_our_id_anything_may_stand_around_the_question(tmp_path, choice):
    asked = f"Think hard.\n{WHERE} Think as long as you like, step by step, then write nothing but one letter?"
    log = inspect_log(tmp_path, input=asked, id="commonsenseqa-test-0")
    assert result_of(log, "commonsenseqa", choice, tmp_path).overall.n == 1


def test_a_sample_of_inspect_without_a_text_is_told(tmp_path, choice):
    failed = inspect_log(tmp_path, output={"model": "m", "choices": [], "completion": ""})
    with pytest.raises(UserError, match=r"log.json\[0\]: no .generated_text."):
        result_of(failed, "commonsenseqa", choice, tmp_path)


@pytest.mark.parametrize("changes", [{"output": None}, {"input": 7}, {"input": []}, {"input": [{}]}, {"scores": [1]}])
def test_a_damaged_sample_is_named(tmp_path, changes):
    with pytest.raises(UserError, match=r"log.json\[0\]: not a sample of Inspect: .*; give the whole log"):
        list(read_generations(inspect_log(tmp_path, **changes)))


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "log.eval"
    path.write_bytes((LOGS / "inspect.eval").read_bytes()[:3000])
    with pytest.raises(UserError, match=r"log.eval: not a log of Inspect: .*; give the whole log"):
        list(read_generations(path))
