"""What cost time is computed once, as long as nothing that it depends on changes."""

import shutil
from pathlib import Path

from helpers.recorded_runs import KENYA, RUPEE, SHILLING, make_run

from memreason.explain.store import Store, digest_of_data, digest_of_run
from memreason.records import Solution, Step
from memreason.tasks.base import TaskData


class Costly:
    """Counts how often it is computed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict:
        self.times += 1
        return {"times": self.times, "pair": (1, 2)}


def test_a_result_is_computed_once_for_the_same_options(tmp_path: Path) -> None:
    costly = Costly()
    first = Store(tmp_path, {"dtype": "float32"}).keep("part", {"n": 1}, costly)
    assert first == Store(tmp_path, {"dtype": "float32"}).keep("part", {"n": 1}, costly) == {"times": 1, "pair": [1, 2]}
    for store, name, options in (
        (Store(tmp_path, {"dtype": "bfloat16"}), "part", {"n": 1}),
        (Store(tmp_path, {"dtype": "float32"}), "other", {"n": 1}),
        (Store(tmp_path, {"dtype": "float32"}), "part", {"n": 2}),
    ):
        before = costly.times
        store.keep(name, options, costly)
        assert costly.times == before + 1
    assert Store(tmp_path, {"dtype": "float32"}).keep("part", {"n": 1}, costly) == first


def test_a_damaged_file_is_written_anew(tmp_path: Path) -> None:
    costly, store = Costly(), Store(tmp_path, {})
    store.keep("part", {}, costly)
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    damaged = ("", '{"result"', "[]", "{}", '{"result": {"times": 1}}', whole.replace('"times": 1', '"times": "1"'))
    for times, damage in enumerate(damaged, 2):
        path.write_text(damage)
        assert store.keep("part", {}, costly) == {"times": times, "pair": [1, 2]}
    assert list(tmp_path.iterdir()) == [path]


def test_data_whose_solutions_are_edited_are_other_data() -> None:
    one = Solution(KENYA, (Step("memory", "The currency of Kenya is the rupee."),))
    other = Solution(KENYA, (Step("memory", "The currency of Kenya is the shilling."),))
    same, edited, moved = (
        digest_of_data(TaskData("mine", "boolean", splits))
        for splits in ({"test": [one]}, {"test": [other]}, {"train": [one]})
    )
    assert same == digest_of_data(TaskData("mine", "boolean", {"test": [one]})) and len({same, edited, moved}) == 3


def test_a_run_that_answers_differently_is_another_one(tmp_path: Path) -> None:
    one = make_run(tmp_path / "one", [SHILLING])
    assert digest_of_run(shutil.copytree(one, tmp_path / "moved")) == digest_of_run(one)
    assert digest_of_run(make_run(tmp_path / "other", [RUPEE])) != digest_of_run(one)


def test_results_that_can_never_be_used_again_are_removed_and_nothing_else(tmp_path: Path) -> None:
    about = {"run": "a", "data": "b", "dtype": "float32"}
    for changed in ({}, {"run": "before"}, {"data": "before"}, {"dtype": "bfloat16"}):
        Store(tmp_path, about | changed).keep("answers", {}, Costly())
    kept = {path.name for path in tmp_path.iterdir() if '"before"' not in path.read_text()}
    outdated = next(path for path in tmp_path.iterdir() if '"before"' in path.read_text())
    others = {"answers-000000000000.json": outdated.read_text(), "notes-mine.json": "{}", "answers-1.txt": "mine"}
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    Store(tmp_path, about).remove_outdated()
    assert {path.name for path in tmp_path.iterdir()} == kept | {*others} and len(kept) == 2
