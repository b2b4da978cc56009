"""What a checkpoint says of itself: older ones are read, newer ones refused by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.models.manifest import FORMAT, MANIFEST, Manifest, read_manifest
from memreason.planning_tokens.layout import PlanningTokens

WRITTEN = Manifest("smollm2", "r", "f", "float32", "lora", PlanningTokens(), {}, 400, 96, hub_id="someone/something")


def change(folder: Path, **entries: Any) -> Path:
    """A manifest with other entries; None removes one."""
    WRITTEN.write(folder)
    fields = {**json.loads((folder / MANIFEST).read_text()), **entries}
    (folder / MANIFEST).write_text(json.dumps({key: value for key, value in fields.items() if value is not None}))
    return folder


def test_it_comes_back_as_written(tmp_path: Path) -> None:
    assert read_manifest(change(tmp_path)) == WRITTEN


def test_what_stands_in_the_place_of_reserved_tokens_is_written_only_where_there_is_some(tmp_path: Path) -> None:
    """So that older versions, which know no such entry, refuse no other checkpoint."""
    reusing = replace(WRITTEN, token_ids={"<prefix_0>": 7}, reused_tokens={"<prefix_0>": "<unused1>"})
    reusing.write(tmp_path)
    assert read_manifest(tmp_path) == reusing
    assert "reused_tokens" not in json.loads((change(tmp_path) / MANIFEST).read_text())


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


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({"rows": "400"}, "rows is '400', which is no int"),
        ({"rows": -1}, "rows is -1, which cannot be"),
        ({"rows": 10**12}, "which cannot be"),
        ({"base_model": 3}, "base_model is 3, which is no str"),
        ({"dtype": "[memory]"}, r"dtype is '\[memory\]', which is none of"),
        ({"bits": 3}, "bits is 3, which is none of"),
        ({"sparse_attention": "{}"}, "sparse_attention is"),
        ({"parameter_efficient_mode": "full"}, "parameter_efficient_mode is 'full'"),
        ({"token_ids": "<prefix_0>"}, "token_ids is '<prefix_0>'"),
        ({"token_ids": {"a": 1, "b": 1}}, "token_ids holds an id twice"),
        ({"token_ids": {"a": 400}}, "or an id without a row"),
        ({"token_ids": {"a": 1}, "reused_tokens": {"b": "<unused1>"}}, "reused_tokens holds a token that token_ids"),
        ({"reused_tokens": {"a": 3}}, "reused_tokens is"),
        ({"planning_tokens": {"placement": "nowhere"}}, "placement is 'nowhere'"),
        ({"planning_tokens": {"step_types": "memory"}}, "step_types is 'memory'"),
        ({"planning_tokens": {"step_types": ["memory", "reason", "reason"]}}, "step_types has 'reason' twice"),
        ({"planning_tokens": {"step_types": ["memory", "answer"], "words": True}}, "step_types has 'answer' twice"),
        ({"planning_tokens": {"num_general_prefix_tokens": 10**10}}, "which cannot be"),
    ],
)
def test_values_that_none_has_are_named(tmp_path: Path, entries: dict[str, Any], what: str) -> None:
    entries = {"planning_tokens": {"step_types": []}} | entries
    entries["planning_tokens"] = {"step_types": []} | entries["planning_tokens"]
    with pytest.raises(UserError, match=rf"{MANIFEST}: not a manifest that this version can read: .*{what}.*; copy"):
        read_manifest(change(tmp_path, **entries))


@pytest.mark.parametrize("content", [b"\xff", b"9" * 5000, b"[" * 10**5, b""], ids=["bytes", "digits", "deep", "empty"])
def test_what_is_no_json_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match=r"not a manifest that this version can read: .*; copy the checkpoint again"):
        read_manifest(tmp_path)
