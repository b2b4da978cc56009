"""The datasets as their authors released them, and rows of these forms that are damaged."""

import csv
import json

import pytest

from memreason.errors import UserError
from memreason.tasks.registry import load_task
from memreason.tasks.sentences import sentences

ROWS = {
    "strategyqa": {"qid": "q", "question": "Would a pear sink?", "answer": False, "facts": ["A pear is light."]},
    "commonsenseqa": {
        "id": "c", "answerKey": "B",
        "question": {"stem": "Where?", "choices": [{"label": "A", "text": "a town"}, {"label": "B", "text": "a city"}]},
    },
    "truthfulqa": {"question": "What is it?", "mc1_targets": {"choices": ["this", "that"], "labels": [1, 0]}},
    "gsm8k": {"question": "What is 1+1?", "answer": "It is 2.\n#### 2"},
    "math": {"problem": "What is $1+1$?", "solution": "It is $\\boxed{2}$."},
    "aqua": {"question": "How much?", "options": ["A)4", "B)5"], "rationale": "It is 2+3.\nB", "correct": "B"},
    "svamp": {"ID": "s", "Body": "I have 2.", "Question": "How many?", "Equation": "2.0", "Answer": 2.0},
}  # fmt: skip
BIG_BENCH = {"input": "Is it?", "target_scores": {"Yes": 1, "No": 0}, "target": "Yes. It is so."}


def load(tmp_path, name, *rows):
    path = tmp_path / "test.json"
    path.write_text(json.dumps(rows))
    return load_task(name, str(path))


def changed(name, path, value):
    row = json.loads(json.dumps(ROWS[name]))
    *outer, last = path
    place = row
    for step in outer:
        place = place[step]
    place[last] = value
    return row


WRONG = [
    ("strategyqa", ["facts"], [7], "must be a list of texts"),
    ("strategyqa", ["facts"], {"a": 1}, "must be a list of texts"),
    ("strategyqa", ["qid"], ["q"], "must be a text or a number"),
    ("commonsenseqa", ["question", "stem"], None, '"stem" must be a text, got None'),
    ("commonsenseqa", ["question", "choices"], 7, "not quite"),
    ("commonsenseqa", ["question", "choices"], [], "2 to 26 options are needed, got 0"),
    ("commonsenseqa", ["question", "choices", 1, "text"], 5, '"text" must be a text, got 5'),
    ("commonsenseqa", ["question", "choices", 1, "label"], "A", "labelled .*, not A, B, C"),
    ("commonsenseqa", ["question", "choices", 0], "a town", "not quite"),
    ("truthfulqa", ["question"], 7, '"question" must be a text, got 7'),
    ("truthfulqa", ["mc1_targets", "choices", 0], ["this"], "must be a list of texts"),
    ("truthfulqa", ["mc1_targets", "choices"], ["this"], "not quite"),
    ("truthfulqa", ["mc1_targets", "labels"], ["1", "0"], "labels must be 0 or 1"),
    ("truthfulqa", ["mc1_targets", "labels"], None, "not quite"),
    ("truthfulqa", ["mc1_targets"], {}, "options are needed"),
    ("gsm8k", ["question"], None, "no question of gsm8k"),
    ("math", ["problem"], ["x"], "no question of math"),
    ("math", ["unique_id"], [1], "must be a text or a number"),
    ("aqua", ["question"], 2.5, '"question" must be a text'),
    ("aqua", ["options"], [], "options are needed, got 0"),
    ("aqua", ["options"], [f"{n}" for n in range(60)], "options are needed, got 60"),
    ("aqua", ["options", 1], 5, "must be a list of texts"),
    ("svamp", ["Body"], None, '"Body" must be a text, got None'),
    ("svamp", ["Question"], 7, '"Question" must be a text, got 7'),
    ("svamp", ["Equation"], True, '"Equation" must be a text, got True'),
    ("svamp", ["ID"], {}, "must be a text or a number"),
]


@pytest.mark.parametrize(("name", "path", "value", "message"), WRONG)
def test_a_field_of_the_wrong_type_is_an_error_with_its_place(tmp_path, name, path, value, message):
    with pytest.raises(UserError, match=rf"test\.json\[1\]: .*{message}"):
        load(tmp_path, name, ROWS[name], changed(name, path, value))


@pytest.mark.parametrize(
    ("name", "path", "value", "note"),
    [
        ("strategyqa", ["question"], " \n", "question blank"),
        ("commonsenseqa", ["question", "stem"], "", "question blank"),
        ("commonsenseqa", ["question", "choices", 0, "text"], " ", "an option blank"),
        ("truthfulqa", ["question"], "\t", "question blank"),
        ("truthfulqa", ["mc1_targets", "choices", 1], "", "an option blank"),
        ("gsm8k", ["question"], "", "question blank"),
        ("math", ["problem"], " ", "question blank"),
        ("aqua", ["options", 1], "B)", "an option blank"),
        ("aqua", ["correct"], ["B"], "gold answer not valid"),
        ("svamp", ["Answer"], None, "gold answer not valid"),
        ("svamp", ["Answer"], float("nan"), "gold answer not valid"),
        ("math", ["answer"], float("inf"), "gold answer not valid"),
    ],
)
def test_a_blank_question_option_or_answer_is_left_out_and_counted(tmp_path, name, path, value, note):
    task = load(tmp_path, name, ROWS[name], changed(name, path, value))
    assert len(task.splits["test"]) == 1
    assert any(f"left out, {note}: 1 (test.json[1])" in line for line in task.notes)


@pytest.mark.parametrize("name", ROWS)
def test_half_a_character_is_an_error_with_its_place(tmp_path, name):
    half = json.dumps(ROWS[name]).replace("is", "\\ud83dis").replace("How", "\\udfff").replace("Where", "\\ude00")
    (tmp_path / "test.jsonl").write_text(half)
    with pytest.raises(UserError, match=r"test\.jsonl:1: .*surrogate"):
        load_task(name, str(tmp_path / "test.jsonl"))


@pytest.mark.parametrize("scores", [{"Yes": 0, "No": 0}, {"Yes": 1, "No": 1}])
def test_scores_that_name_no_answer_are_none(tmp_path, scores):
    task = load(tmp_path, "strategyqa", BIG_BENCH, BIG_BENCH | {"input": "Was it?", "target_scores": scores})
    assert len(task.splits["test"]) == 1


def test_a_fact_that_begins_with_no_keeps_its_words(tmp_path):
    example = BIG_BENCH | {"target": "No one knows. It is known."}
    (solution,) = load(tmp_path, "strategyqa", example).splits["test"]
    assert [step.text for step in solution.steps] == ["one knows.", "It is known."]


def test_a_row_with_many_long_names_gives_a_short_message(tmp_path):
    with pytest.raises(UserError, match="and 988 more is no question") as caught:
        load(tmp_path, "gsm8k", {f"{n}{'x' * 1000}": n for n in range(1000)})
    assert len(str(caught.value)) < 1500


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def test_strategyqas_folder(tmp_path):
    train = [ROWS["strategyqa"] | {"qid": f"q{n}", "question": f"Is {n} light?"} for n in range(6)]
    write(
        tmp_path / "dataset", strategyqa_train=train, strategyqa_train_filtered=train[1:4],
        strategyqa_train_paragraphs={"Pear-1": {"title": "Pear", "content": "…"}},
        strategyqa_test=[{"qid": "t", "question": "Is it tested?"}],
    )  # fmt: skip
    task = load_task("strategyqa", str(tmp_path / "dataset"))
    assert sorted(s.question.id for split in task.splits.values() for s in split) == [f"q{n}" for n in range(6)]
    notes = "\n".join(task.notes)
    assert "unanswered records left out, gold answer not valid: 1 (strategyqa_test.json[0])" in notes
    assert "train records left out, question already stands there: 3" in notes


def test_commonsenseqas_files(tmp_path):
    def rows(count, **changes):
        row = ROWS["commonsenseqa"]
        stems = (f"Where is {len(changes)}.{count}.{n}?" for n in range(count))
        return [
            row | changes | {"id": f"{count}-{n}", "question": row["question"] | {"stem": stem}}
            for n, stem in enumerate(stems)
        ]

    unanswered = [{key: value for key, value in row.items() if key != "answerKey"} for row in rows(2)]
    for name, found in (
        ("train_rand_split", rows(12)), ("dev_rand_split", rows(3)), ("test_rand_split_no_answers", unanswered)
    ):  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    task = load_task("commonsenseqa", str(tmp_path))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 11, "validation": 1, "test": 3}
    assert any("unanswered records left out, gold answer not valid: 2" in note for note in task.notes)


def test_an_answered_test_split_of_commonsenseqa_is_tested_on(tmp_path):
    assert list(load(tmp_path, "commonsenseqa", ROWS["commonsenseqa"]).splits) == ["test"]


def test_truthfulqas_own_file(tmp_path):
    targets = {"It is blue.": 1, "It is green.": 0, "It is red.": 0}
    rows = [{"question": f"What colour is {n}?", "mc1_targets": targets, "mc2_targets": {}} for n in range(20)]
    write(tmp_path / "authors", mc_task=rows)
    for path in (tmp_path / "authors", tmp_path / "authors" / "mc_task.json"):
        found = load_task("truthfulqa", str(path)).splits["test"]
        assert {s.question.options["ABC".index(s.question.answer)] for s in found} == {"It is blue."}
        assert len(found) == 20 and {s.question.answer for s in found} == set("ABC")


def test_truthfulqas_table(tmp_path):
    row = {
        "Type": "Adversarial", "Category": "Sky", "Question": "What colour is the sky?", "Best Answer": "It is blue",
        "Correct Answers": "It is blue; Blue", "Incorrect Answers": "It is green; It is red; It is green",
    }  # fmt: skip
    with open(tmp_path / "TruthfulQA.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    (solution,) = load_task("truthfulqa", str(tmp_path)).splits["test"]
    assert sorted(solution.question.options) == ["It is blue", "It is green", "It is red"]
    assert solution.question.options["ABC".index(solution.question.answer)] == "It is blue"


@pytest.mark.parametrize(
    "piece", ["word ", ". ", "\\[ ", "\\begin{a} ", "\\begin{a}\\end{a} ", "$ ", "[asy] ", "A. ", "$x$ y ", '{"']
)
def test_the_sentences_of_a_long_text_take_no_longer_a_character(piece):
    text = piece * (100_000 // len(piece))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
