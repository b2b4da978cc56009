"""One writer at a time, told by name, and no trace of the lock."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.holding import HOLD

from memreason.errors import UserError
from memreason.runtime.locks import locked_folder


def test_another_process_is_refused_until_the_first_one_ends(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match="--output_dir run: another process is writing to it"), \
         locked_folder(folder, "--output_dir run"):  # fmt: skip
        pass
    holder.kill()
    holder.wait()
    with locked_folder(folder, "--output_dir run"):
        (folder / "file").touch()


def test_a_folder_made_for_it_goes_again_where_nothing_was_put_into_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        with locked_folder(tmp_path / name, name):
            assert (tmp_path / name).is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--output_dir f is a file; give a folder"), \
         locked_folder(tmp_path / "file", "--output_dir f"):  # fmt: skip
        pass
