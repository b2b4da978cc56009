"""What a checkpoint says of itself: older ones are read, newer ones refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.manifest import FORMAT, MANIFEST, Manifest, read_manifest
from memreason.planning_tokens import PlanningTokens

WRITTEN = Manifest("smollm2", "r", "f", "float32", "lora", PlanningTokens(), {}, 400, 96, hub_id="someone/something")


def change(folder: Path, **entries: Any) -> Path:
    """A manifest with other entries; None removes one."""
    WRITTEN.write(folder)
    fields = {**json.loads((folder / MANIFEST).read_text()), **entries}
    (folder / MANIFEST).write_text(json.dumps({key: value for key, value in fields.items() if value is not None}))
    return folder


def test_it_comes_back_as_written(tmp_path: Path) -> None:
    assert read_manifest(change(tmp_path)) == WRITTEN


def test_one_from_before_there_were_hub_ids(tmp_path: Path) -> None:
    fields = json.loads((change(tmp_path) / MANIFEST).read_text())
    del fields["hub_id"], fields["hub_revision"]
    (tmp_path / MANIFEST).write_text(json.dumps(fields))
    assert read_manifest(tmp_path).hub_id == ""


@pytest.mark.parametrize("entries", [{"format": 2}, {"format": 2, "something": 1}, {"format": "3b"}])
def test_a_newer_format_is_refused_by_name(tmp_path: Path, entries: dict[str, Any]) -> None:
    message = rf"newer memreason \(format {entries['format']}; this one reads up to format {FORMAT}\): update"
    with pytest.raises(UserError, match=message):
        read_manifest(change(tmp_path, **entries))


def test_an_unknown_entry_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"newer memreason \(with something;.*update memreason"):
        read_manifest(change(tmp_path, something=1))


@pytest.mark.parametrize("text", ["", "[]", '"a"', "null", '{"format": 1}', '{"planning_tokens": 3}'])
def test_what_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match="not a manifest that this version can read"):
        read_manifest(tmp_path)
