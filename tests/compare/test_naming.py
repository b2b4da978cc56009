"""What stands on the command line → names and paths of sides."""

from pathlib import Path

import pytest

from memreason.compare.naming import parse_sides
from memreason.errors import UserError


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("runs/plain-1", "runs/plain-2", "runs/typed-1", "other/typed-1"):
        for part in ("before", "evaluation"):
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "traces.jsonl").touch()
    (tmp_path / "a=b,c.jsonl").touch()


def names(*written: str) -> dict[str, list[str]]:
    return {name: [str(path) for path in paths] for name, paths in parse_sides(written).items()}


def test_a_name_or_none() -> None:
    assert names("plain=runs/plain-1", "runs/typed-1") == {"plain": ["runs/plain-1"], "typed-1": ["runs/typed-1"]}
    assert list(names("a=b,c.jsonl", "runs/plain-1")) == ["a=b,c.jsonl", "plain-1"], "a file that is there is a path"


def test_several_runs_of_a_side_with_commas_or_wildcards() -> None:
    both = ["runs/plain-1", "runs/plain-2"]
    assert names("plain=runs/plain-1,runs/plain-2", "t=runs/typed-1")["plain"] == both
    assert names("plain=runs/plain-*", "t=runs/typed-1")["plain"] == both
    assert names("runs/plain-*", "runs/typed-1") == {"plain": both, "typed-1": ["runs/typed-1"]}


def test_names_are_the_shortest_ends_of_paths_that_tell_sides_apart() -> None:
    assert list(names("runs/typed-1", "other/typed-1")) == ["runs/typed-1", "other/typed-1"]
    assert list(names("runs/typed-1/before", "runs/typed-1/evaluation/traces.jsonl")) == ["before", "typed-1"]
    assert list(names("runs/typed-1", "runs/typed-1")) == ["typed-1", "typed-1 (2)"]


def test_a_run_alone_is_compared_with_itself_before_training() -> None:
    assert names("runs/plain-1") == {"before": ["runs/plain-1/before"], "after": ["runs/plain-1"]}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ([], "give two sides or more"),
        (["other"], "no before/traces.jsonl"),
        (["x=runs/plain-1", "x=runs/typed-1"], "two sides are called x"),
        (["=runs/plain-1", "x=runs/typed-1"], "a side is NAME=PATH"),
        (["x=runs/nothing-*", "runs/typed-1"], "no file or folder fits"),
        (["x=,", "runs/typed-1"], "names no path"),
    ],
)
def test_what_cannot_be_sides(written: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_sides(written)
