"""A folder that is written whole or not at all."""

from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.export.base import MARKER, check_output, files_in, new_folder, write_marker
from memreason.export.config import ExportConfig
from memreason.export.targets import TARGETS


def write(folder: Path, text: str, overwrite: bool = False) -> None:
    with new_folder(folder, overwrite) as beside:
        (beside / "file").write_text(text)
        write_marker(beside, "merged", {})


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    with new_folder(folder) as beside:
        (beside / "file").write_text("a")
        assert not folder.exists()
    assert files_in(folder) == ("file",)
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_after_an_error_nothing_is_left_and_an_earlier_export_stays(tmp_path: Path) -> None:
    write(tmp_path / "out", "first")
    for error in (KeyboardInterrupt, UserError("no")):
        with pytest.raises((KeyboardInterrupt, UserError)), new_folder(tmp_path / "out", overwrite=True) as beside:
            (beside / "file").write_text("second")
            raise error
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "file").read_text() == "first"


def test_only_an_export_is_overwritten_and_only_when_asked(tmp_path: Path) -> None:
    write(tmp_path / "out", "first")
    with pytest.raises(UserError, match="--overwrite_output_dir"):
        check_output(tmp_path / "out", overwrite=False)
    (tmp_path / "link").symlink_to("out")
    write(tmp_path / "link", "second", overwrite=True)
    assert (tmp_path / "out" / "file").read_text() == "second"
    (tmp_path / "out" / MARKER).unlink()
    with pytest.raises(UserError, match="no export wrote it"):
        check_output(tmp_path / "out", overwrite=True)
    with pytest.raises(UserError, match="this is a file"):
        check_output(tmp_path / "out" / "file", overwrite=True)


def test_the_options() -> None:
    assert ExportConfig("runs/demo").folder == Path("runs/demo/merged")
    assert ExportConfig("runs/demo", "adapter", "there").folder == Path("there")
    for wrong, message in [
        ({}, "the checkpoint is missing"),
        ({"dtype": "fp16"}, "did you mean float16"),
        ({"max_shard_size": "5 apples"}, "such as 500MB or 5GB"),
        ({"verify_questions": -1}, "at least 0"),
        ({"to": "gguff"}, "must be one of"),
    ]:
        with pytest.raises(UserError, match=message):
            ExportConfig(**({"model_name_or_path": "runs/demo"} if wrong else {}) | wrong)


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_has_a_module(name: str) -> None:
    from importlib import import_module

    assert callable(import_module(TARGETS[name]).export)
