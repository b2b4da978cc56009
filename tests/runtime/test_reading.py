"""Whatever a reader raises becomes a file, a reason and a remedy; what no file is to blame for stays as it is."""

import errno
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from safetensors.numpy import load
from tokenizers import Tokenizer

from memreason.errors import UserError
from memreason.runtime.reading import check_fields, fits, reading

RAISED = {
    "json": (lambda: json.loads("{"), "Expecting property name"),
    "json of 5,000 digits": (lambda: json.loads("9" * 5000), "4300 digits"),
    "nesting": (lambda: json.loads("[" * 10**5), "it is nested too deeply"),
    "yaml": (lambda: yaml.safe_load("a: ["), "parsing a flow node"),
    "a date that is none": (lambda: yaml.safe_load("2020-13-45"), "month must be in 1..12"),
    "not UTF-8": (lambda: b"a\xff".decode(), r"it is not UTF-8 text \(byte 1\)"),
    "a missing key": (lambda: {}["rows"], "'rows' is missing"),
    "safetensors": (lambda: load(b"123"), "header"),
    "tokenizers": (lambda: Tokenizer.from_str("{}"), "."),
    "a library's bug": (lambda: None.keys(), "has no attribute 'keys'"),  # type: ignore[attr-defined]
    "no such file": (lambda: Path("/nowhere/at/all").read_text(), r"No such file or directory \(/nowhere/at/all\)"),
}


@pytest.mark.parametrize(("read", "why"), RAISED.values(), ids=RAISED)
def test_each_gets_place_reason_and_remedy(read: Any, why: str) -> None:
    with pytest.raises(UserError, match=rf"(?s)^here is damaged: .*{why}.*; fetch it again$"), \
         reading("here is damaged", "fetch it again"):  # fmt: skip
        read()


@pytest.mark.parametrize(
    "error",
    [UserError("x"), MemoryError(), torch.OutOfMemoryError(), OSError(errno.ENOSPC, "full"), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_what_is_no_files_fault_stays(error: BaseException) -> None:
    with pytest.raises(type(error)) as found, reading("here", "fetch it again"):
        raise error
    assert found.value is error


@dataclass
class Options:
    name: str
    count: int | None = None
    share: float = 0.5
    words: tuple[str, ...] = ()
    ids: dict[str, int] | None = None
    group: ClassVar[str] = "all"


@pytest.mark.parametrize(
    "values", [{"name": "a"}, {"count": None}, {"share": 1}, {"words": ["a"]}, {"ids": {"a": 1}}, {"unknown": 1}]
)
def test_values_of_the_declared_types_pass(values: dict[str, Any]) -> None:
    check_fields(Options, values)


@pytest.mark.parametrize(
    "values",
    [{"name": None}, {"name": 1}, {"count": 1.0}, {"count": True}, {"share": "1"}, {"words": "a"}, {"words": [1]},
     {"ids": {"a": "1"}}, {"ids": []}],
)  # fmt: skip
def test_others_are_named(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(values))} is "):
        check_fields(Options, values)


def test_true_is_no_number() -> None:
    assert not fits(True, int) and not fits(True, float) and fits(True, bool)
