"""A sequence of records in a temporary file behaves as a list of them, and takes no memory to speak of."""

import errno
import tempfile
import tracemalloc

import pytest

from memreason.records import Question, Solution, Step
from memreason.runtime.disk_list import DiskList

SOLUTIONS = [Solution(Question(f"q{i}", "Is it? " * (i % 7), "True"), (Step("memory", "It is."),)) for i in range(50)]


def test_it_has_what_was_put_in():
    kept = DiskList(SOLUTIONS)
    assert list(kept) == SOLUTIONS and len(kept) == 50
    assert kept[3] == SOLUTIONS[3] and kept[-1] == SOLUTIONS[-1]
    with pytest.raises(IndexError):
        kept[50]


def test_it_compares_as_lists_do():
    assert DiskList(SOLUTIONS) == SOLUTIONS and DiskList(SOLUTIONS) == DiskList(SOLUTIONS)
    assert DiskList(SOLUTIONS) != SOLUTIONS[1:] and DiskList(SOLUTIONS) != 3
    assert not DiskList()


def test_slices_and_choices_are_views():
    kept = DiskList(SOLUTIONS)
    assert kept[5:20:4] == SOLUTIONS[5:20:4]
    assert kept.chosen([7, 7, 1]) == [SOLUTIONS[7], SOLUTIONS[7], SOLUTIONS[1]]


def test_reading_and_appending_in_turn():
    kept = DiskList(SOLUTIONS[:2])
    view = kept[:1]
    assert kept[0] == SOLUTIONS[0]
    kept.append(SOLUTIONS[2])
    view.append(SOLUTIONS[3])
    assert kept[1] == SOLUTIONS[1]
    kept.append(SOLUTIONS[4])
    assert kept == [*SOLUTIONS[:3], SOLUTIONS[4]]
    assert view == [SOLUTIONS[0], SOLUTIONS[3]]


def test_memory_does_not_grow_with_what_records_hold():
    tracemalloc.start()
    try:
        kept = DiskList(Question(f"q{i}", "x" * 2000, "True") for i in range(5000))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 5000
    assert taken < 500_000  # of ten megabytes


def test_a_full_disk_is_named(monkeypatch):
    class Full:
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    kept = DiskList(SOLUTIONS)
    monkeypatch.setattr(kept._file, "_file", Full())
    with pytest.raises(OSError, match=tempfile.gettempdir()):
        kept.append(SOLUTIONS[0])
