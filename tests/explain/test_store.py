"""What cost time is computed once, as long as nothing that it depends on changes."""

import shutil
from pathlib import Path

from helpers.recorded_runs import RUPEE, SHILLING, make_run

from memreason.explain.store import Store, digest_of_run


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
    for damage in ("", '{"result"', "[]", "{}"):
        path.write_text(damage)
        store.keep("part", {}, costly)
    assert costly.times == 5 and list(tmp_path.iterdir()) == [path]


def test_a_run_that_answers_differently_is_another_one(tmp_path: Path) -> None:
    one = make_run(tmp_path / "one", [SHILLING])
    assert digest_of_run(shutil.copytree(one, tmp_path / "moved")) == digest_of_run(one)
    assert digest_of_run(make_run(tmp_path / "other", [RUPEE])) != digest_of_run(one)
