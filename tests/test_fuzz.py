"""Damaged files of every kind: read, or refused with place and remedy; `make fuzz` tries many more."""

from mmap import mmap
from pathlib import Path

import pytest
from fuzz.kinds import KINDS
from fuzz.mutate import Mutator
from fuzz.run import attempt, inputs, run

INPUTS = 100


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if kind.share < 0.15 else name  # a model is read each time
        for name, kind in KINDS.items()
    ],
)
def test_what_is_damaged_is_read_or_refused(name: str, tmp_path: Path) -> None:
    counts, failures = run(name, tmp_path, max(2, round(INPUTS * min(1, 2 * KINDS[name].share))))
    assert not failures
    if counts.total() == INPUTS:  # both sides are met
        assert counts["refused"] > INPUTS / 10 and counts["accepted"] > INPUTS / 20


def test_the_same_seed_gives_the_same_damage(tmp_path: Path) -> None:
    kind = KINDS["own jsonl"]
    kind.make(tmp_path)
    valid = (tmp_path / kind.file).read_bytes()
    assert list(inputs("a", kind, valid, 20)) == list(inputs("a", kind, valid, 20))
    assert len({content for _, content in inputs("a", kind, valid, 20)}) > 15


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are not told apart here")
@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda folder: 1 / 0, "RAISED"),
        (lambda folder: exit(0), "RAISED"),
        (lambda folder: len(mmap(-1, 1100 << 20)[::4096]), "MEMORY"),  # no memory that was freed before
        (lambda folder: folder, "NONSENSE"),
    ],
)
def test_what_breaks_the_rule_is_found(tmp_path: Path, read, found: str) -> None:
    kind = KINDS["traces"]._replace(read=read, nonsense=lambda result: "odd")
    assert attempt(kind, tmp_path, b"").startswith(found)


def test_damage_is_of_many_kinds() -> None:
    document = {"a": [1, "text", {"b": None}], "c": 2.5}
    found = {repr(Mutator(str(seed)).value(document)) for seed in range(200)}
    assert len(found) > 150 and document == {"a": [1, "text", {"b": None}], "c": 2.5}
