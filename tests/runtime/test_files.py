"""Files of data: what is wrong with one is said with its place and what to do."""

import gzip

import pytest

from memreason.errors import UserError
from memreason.runtime.files import DEEPEST, listed, parse_json, read_json, read_jsonl, read_lines, read_text
from memreason.runtime.reading import shown


def test_a_compressed_file_reads_like_any_other(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress('\ufeff{"a": 1}\n\n{"a": "ü"}\n'.encode()))
    assert list(read_jsonl(path)) == [(1, {"a": 1}), (3, {"a": "ü"})]
    assert read_text(path) == '{"a": 1}\n\n{"a": "ü"}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-9], r"cut\.jsonl\.gz: .*ended before"),
        ("no.jsonl.gz", b'{"a": 1}\n', r"no\.jsonl\.gz: .*[Nn]ot a gzipped file"),
        ("windows.jsonl", '{"a": 1}\n'.encode("utf-16"), r"windows\.jsonl: not UTF-8 text \(line 1\)"),
        ("latin.jsonl", '{"a": 1}\n{"a": "ü"}\n'.encode("latin-1"), r"latin\.jsonl: not UTF-8 text \(line 2\)"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"{message}.*; give a whole UTF-8 file"):
        list(read_lines(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ', "not valid JSON"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
        ("[" * 100_000, "nested"),
        ("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), "nested"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
    ],
)
def test_what_is_no_json_is_said(text, message):
    with pytest.raises(UserError, match=rf"mine\.jsonl:3: .*{message}.*; correct it"):
        parse_json(text, "mine.jsonl:3", "correct it")


def test_a_document_must_be_an_object(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("[1]")
    with pytest.raises(UserError, match=r"settings\.json: expected a JSON object, got list; start anew"):
        read_json(path, "start anew")


def test_what_messages_quote_is_short():
    assert len(shown("x" * 10_000)) < 100 and len(shown([["x" * 100] * 100] * 100)) < 300
    assert len(shown(1 << 100_000)) < 100
    assert listed(range(20), 3) == "0, 1, 2 and 17 more"
