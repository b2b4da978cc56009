"""What `build` promises about its questions: the same every time, balanced, varied, short."""

import re
from collections import Counter, defaultdict
from functools import cache

import pytest

from memreason.errors import UserError
from memreason.tasks.atlas import build

SPLITS = ("train", "validation", "test_seen", "test_unseen")


@cache
def atlas(**arguments):
    return build(**arguments)


def family(question):
    return re.fullmatch(r"atlas-[a-z_]+-([a-z-]+)-\d{6}", question.id)[1]


def questions(split):
    return [solution.question for solution in atlas().splits[split]]


def every_solution():
    return [solution for split in SPLITS for solution in atlas().splits[split]]


def test_the_default_sizes():
    assert {name: len(split) for name, split in atlas().splits.items()} == {
        "train": 1000,
        "validation": 100,
        "test_seen": 200,
        "test_unseen": 200,
    }
    assert atlas().test_splits == ["test_seen", "test_unseen"]
    assert (atlas().name, atlas().answer_kind) == ("atlas", "mixed")


def test_the_same_arguments_give_the_same_questions():
    assert build(seed=3, num_train=80, num_validation=8, num_test=16).splits == (
        build(seed=3, num_train=80, num_validation=8, num_test=16).splits
    )


def test_another_seed_gives_other_questions():
    assert atlas().splits["train"] != atlas(seed=1).splits["train"]


@pytest.mark.parametrize("seed", range(1, 4))
def test_the_default_sizes_can_be_had_with_any_seed(seed):
    assert len(atlas(seed=seed).splits["train"]) == 1000


@pytest.mark.slow
def test_the_word_order_of_sets_and_hashes_plays_no_part(tmp_path):
    """Two processes with different hash seeds build the same."""
    import subprocess
    import sys

    script = (
        "import zlib; from memreason.tasks.atlas import build;"
        "print(zlib.crc32(repr(build(0, 60, 5, 10).splits).encode()))"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(prints) == 1


@pytest.mark.parametrize("split", SPLITS)
def test_half_are_choices_and_half_true_or_false(split):
    asked = questions(split)
    answers = Counter(question.answer for question in asked)
    choices = sum(bool(question.options) for question in asked)
    assert abs(2 * choices - len(asked)) <= 1
    assert abs(answers["True"] - answers["False"]) <= 1


@pytest.mark.parametrize("split", SPLITS)
def test_letters_are_uniform(split):
    letters = Counter(question.answer for question in questions(split) if question.options)
    assert sorted(letters) == list("ABCD")
    assert max(letters.values()) - min(letters.values()) <= 1


@pytest.mark.parametrize("split", SPLITS)
def test_ten_families_come_up_about_equally_often(split):
    counts = Counter(family(question) for question in questions(split))
    assert len(counts) == 10
    even = len(questions(split)) / 10
    assert all(0.75 * even <= count <= 1.25 * even for count in counts.values()), counts


@pytest.mark.parametrize("split", ["train", "test_unseen"])
def test_within_a_family_true_and_false_are_about_equally_often(split):
    truths = defaultdict(Counter)
    for question in questions(split):
        if not question.options:
            truths[family(question)][question.answer] += 1
    for counts in truths.values():
        assert abs(counts["True"] - counts["False"]) <= 0.3 * counts.total()


def test_choices_have_four_different_options():
    for solution in every_solution():
        if solution.question.options:
            assert len({option.lower() for option in solution.question.options}) == 4


def test_no_continent_or_hemisphere_gives_the_answer_away():
    """Seen by itself, what a statement names is not nearly always true or nearly always false."""
    named = defaultdict(Counter)
    for question in questions("train"):
        if family(question) in ("continent", "hemisphere", "capital-continent") and not question.options:
            for word in re.findall(r"Africa|Asia|Europe|northern|southern", question.text):
                named[word][question.answer] += 1
    assert named
    for word, counts in named.items():
        assert 0.25 <= counts["True"] / counts.total() <= 0.75, (word, counts)


def test_a_step_is_one_short_sentence_and_a_solution_has_two_or_three():
    for solution in every_solution():
        question, steps = solution.question, solution.steps
        assert 2 <= len(steps) <= 3
        assert [step.type for step in steps] == ["memory"] * (len(steps) - 1) + ["reason"]
        texts = [question.text, *question.options, *(step.text for step in steps)]
        assert sum(len(text.split()) for text in texts) <= 65
        assert all(len(step.text.split()) <= 20 and "\n" not in step.text for step in steps)
        assert all(step.text.endswith(".") and step.text[0] == step.text[0].upper() for step in steps)


def test_half_the_solutions_are_within_thirty_two_words():
    lengths = sorted(
        sum(len(text.split()) for text in (s.question.text, *s.question.options, *(x.text for x in s.steps)))
        for s in every_solution()
    )
    assert lengths[len(lengths) // 2] <= 32


def test_the_last_step_names_the_answer():
    for solution in every_solution():
        answer = solution.question.answer
        assert re.search(rf"\b{answer}\b", solution.steps[-1].text, re.IGNORECASE)


def test_ids_are_unique():
    ids = [solution.question.id for solution in every_solution()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"num_train": 100_000}, "lower num_train, num_validation or num_test, or raise"),
        ({"num_test": 5_000}, "num_test, or raise num_countries"),
        ({"num_train": 1000, "num_countries": 30}, "num_countries \\(now 30, at most 19\\d\\)"),
        ({"num_countries": 500}, "give 30 to 19"),
        ({"num_countries": 3}, "give 30 to 19"),
        ({"num_validation": -1}, "num_validation is -1"),
    ],
)
def test_more_than_the_facts_allow_is_refused_with_advice(arguments, hint):
    with pytest.raises(UserError, match=hint):
        build(**arguments)


def test_a_split_may_be_empty():
    data = build(num_train=40, num_validation=0, num_test=0)
    assert [len(data.splits[split]) for split in SPLITS] == [40, 0, 0, 0]
