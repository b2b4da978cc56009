"""Reading texts that models wrote: rows of our own form, and the logs of other evaluation programs. Needs no torch.

- lm-evaluation-harness: the file `samples_….jsonl` of a task, which `--log_samples` writes.
- Inspect: a log of either format, `.eval` or `.json`.

What is read has one form, that of `Generation`, whichever program wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from memreason.errors import UserError
from memreason.runtime.files import LONGEST, parse_json
from memreason.runtime.reading import reading
from memreason.tasks.agent_json import read_array
from memreason.tasks.fields import without_letters

QUESTION_FIELDS = ("question", "input", "problem", "query", "text", "inputs")
"""Where a task of lm-evaluation-harness may have its question; the first of these fields that holds a text counts."""
MARKS = dict.fromkeys(("correct", "true", "right", "yes", "pass", "passed"), True) | dict.fromkeys(
    ("wrong", "incorrect", "false", "no", "fail", "failed"), False
)
"""The words with which files mark a text → whether they mean correct."""
_WHOLE = "give the whole log, as the program wrote it"


class Generation(TypedDict, total=False):
    """A row: one text that a model wrote. Rows of our own form may have more fields."""

    generated_text: str | None
    """The text; None where a log has a question without a text."""
    question: str
    """The question's text, as the row has it."""
    options: list[str]
    """Texts of the options, in the order of their letters."""
    id: str
    """The id, which may be ours."""
    prompt: str
    """The whole of what the model was asked: examples, the question, a cue at the end."""
    result: object
    """Whether the program that wrote the log takes the answer for right."""
    results: dict[str, object]
    """Name of each of the program's metrics or scorers → what it says about the answer."""
    fields: dict[str, object]
    """What else the log knows about the question."""
    doc_hash: str
    """A digest of the question with all that the log knows about it."""
    filter: str
    """How the program found the answer in the text."""
    truncated: bool
    """Whether the text was cut off."""


def read_generations(path: Path, need_texts: bool = True) -> Iterator[tuple[str, Any]]:
    """(place, row) of each text in a file. ``row`` is a `Generation`, or any JSON object that is not from a log.

    In a log with several filters each response is read once. Raises UserError where the file cannot be read, and for a
    log without generated texts (likelihoods of choices). Where texts are not needed, such logs are read too; then there
    is a row for each question and filter, with the results.
    """
    if path.suffix == ".eval":
        for place, sample in _read_archive(path):
            yield place, _from_inspect(place, sample)
        return
    filters: dict[tuple[str, str], object] = {}
    for place, row in read_array(path):
        if {"doc", "arguments", "resps"} <= row.keys():
            about = str(row.get("doc_id")), str(row.get("doc_hash"))
            first = filters.setdefault(about, row.get("filter")) == row.get("filter")
            for generation in _from_lm_eval(place, row, need_texts) if first or not need_texts else ():
                yield place, generation
        elif {"eval", "samples"} <= row.keys():
            with reading(place, _WHOLE):
                samples = list(row["samples"] or ())
            for number, sample in enumerate(samples):
                yield f"{place}[{number}]", _from_inspect(f"{place}[{number}]", sample)
        else:
            yield place, row


def _from_lm_eval(place: str, row: dict[str, Any], need_texts: bool) -> list[Generation]:
    """The responses to one question; there are several if the task repeats its questions."""
    with reading(f"{place}: not a sample of lm-evaluation-harness", _WHOLE):
        doc = row["doc"]
        texts = [text for response in row["resps"] for text in response if isinstance(text, str)]
        common = Generation(prompt=_first_text(row["arguments"]) or "", options=_options(doc))
        if question := next((doc[name] for name in QUESTION_FIELDS if isinstance(doc.get(name), str)), None):
            common["question"] = question
        if "id" in doc:
            common["id"] = str(doc["id"])
        common["fields"], common["doc_hash"], common["filter"] = doc, str(row.get("doc_hash")), str(row.get("filter"))
        if metrics := row.get("metrics"):
            common["result"], common["results"] = row.get(metrics[0]), {name: row.get(name) for name in metrics}
    if not need_texts:
        return [common | Generation(generated_text=texts[0] if texts else None)]
    if not texts:
        raise UserError(
            f"{place}: the responses are likelihoods, not texts; score a task whose output_type is generate_until"
        )
    return [common | Generation(generated_text=text) for text in texts]


def _options(doc: dict[str, Any]) -> list[str]:
    """The options of a question: a list, or an object with the list "text"; without letters before them."""
    options = doc.get("options") or doc.get("choices") or []
    options = options.get("text", []) if isinstance(options, dict) else options
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        return []
    return list(without_letters(options)[0])


def _first_text(value: object) -> str | None:
    """The first text in lists and objects inside each other."""
    if isinstance(value, str):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((text for item in inner if (text := _first_text(item)) is not None), None)


def _from_inspect(place: str, sample: dict[str, Any]) -> Generation:
    with reading(f"{place}: not a sample of Inspect", _WHOLE):
        asked, output = sample["input"], sample["output"]
        written = output.get("choices") or []
        text = output.get("completion") if written else None
        if written and text is None:
            text = _content(written[0]["message"])
        row = Generation(
            generated_text=text,
            question=asked if isinstance(asked, str) else _content([m for m in asked if m["role"] == "user"][-1]),
            options=list(sample.get("choices") or ()),
            id=str(sample["id"]),
        )
        if written and written[0].get("stop_reason") in ("max_tokens", "model_length"):
            row["truncated"] = True
        results = {name: _mark(score["value"]) for name, score in (sample.get("scores") or {}).items()}
        row["results"], row["result"] = results, next(iter(results.values()), None)
        row["fields"] = dict(sample.get("metadata") or {})
        return row


def _mark(value: object) -> object:
    """A score of Inspect; its letters as words."""
    return {"C": "correct", "I": "incorrect"}.get(value, value) if isinstance(value, str) else value


def _content(message: dict[str, Any]) -> str:
    """The text of a message, whose content is a text or a list of parts."""
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _read_archive(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, sample) of each sample in a log of the format `.eval`: a zip file with a JSON file for each sample."""
    try:
        from backports.zstd import zipfile
    except ImportError:  # not needed for logs of before 2026, nor from Python 3.14 on
        import zipfile  # type: ignore[no-redef]
    with reading(f"{path}: not a log of Inspect", _WHOLE), zipfile.ZipFile(path) as archive:
        names = [info for info in archive.infolist() if re.fullmatch(r"samples/.*\.json", info.filename)]
        for info in names:
            if info.file_size > LONGEST:
                raise ValueError(f"{info.filename} has more than {LONGEST} bytes")
            try:
                text = archive.read(info).decode()
            except NotImplementedError as error:
                raise UserError(
                    f"{path}: compressed with Zstandard, which this Python does not read; pip install "
                    "'memreason[inspect]', or convert the log: inspect log convert --to json"
                ) from error
            yield f"{path}/{info.filename}", parse_json(text, f"{path}/{info.filename}", _WHOLE)
