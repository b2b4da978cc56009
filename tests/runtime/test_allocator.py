"""Memory: what is free, and what is kept."""

import ctypes
from pathlib import Path

import pytest

from memreason.runtime import allocator as module
from memreason.runtime.allocator import keep_freed_memory


def test_what_a_container_and_other_processes_leave_is_what_is_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_CONTAINER", tmp_path)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    for name, text in (("max", "max"), ("current", "700"), ("stat", "anon 300\ninactive_file 400\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert module.free_memory() > 1e6  # no limit: the machine's
    (tmp_path / "memory.max").write_text("1000")
    assert module.free_memory() == 1000 - 700 + 400
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert module.free_memory() == 350


def test_where_there_is_no_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    keep_freed_memory()
