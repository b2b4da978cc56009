"""Reading the sides of a comparison: runs, evaluations, traces, scored texts, logs. Each file is read once.

From each answer, all measures are taken at once; the answers themselves are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from memreason.compare.logs import Fields, Found, read_marks, read_scored
from memreason.compare.measures import MEASURES, Answer
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, EXPLANATION, FIGURES, TRACES, verdict_of_row
from memreason.models.manifest import MANIFEST
from memreason.records import Question, TraceRow, Verdict
from memreason.runtime.files import listed, read_json, read_jsonl
from memreason.runtime.reading import reading
from memreason.tasks.base import TaskData

_OURS = {"generated_text", "outcome", "step_truth"}
"""Fields by which a line of our traces.jsonl is known."""
_AT_ONCE = 1000
"""Texts whose tokens are counted at once."""


@dataclass(frozen=True, eq=False)
class Run:
    """The answers of one run."""

    path: Path
    """What it was read from."""
    questions: tuple[Question, ...]
    """The question of each answer, in the order of the file."""
    fields: tuple[Fields, ...]
    """What else the file says about each question."""
    columns: Mapping[str, np.ndarray]
    """Measure → values and weights of the answers, shape (2, answers); NaN where the answer does not say. Without those
    that no answer says."""
    digest: bytes
    """Equal for runs with equal answers."""
    notes: tuple[str, ...] = ()
    """What was left out, in words."""


@dataclass(frozen=True, eq=False)
class Side:
    """One side: one run, or several that differ by their seed only."""

    name: str
    runs: tuple[Run, ...]
    seeded: bool = True
    """Whether another seed would have given another run; not so for a model that was not trained."""


@dataclass(frozen=True)
class Reading:
    """How files are read that are not our own traces."""

    task: TaskData | None = None
    """The task whose questions the texts are about; None: the marks in the file count."""
    mark: str | None = None
    """The metric or scorer of a log that says what is right; None: the first."""


def read_side(name: str, paths: Sequence[Path | str], how: Reading = Reading(), seeded: bool | None = None) -> Side:
    """Read one side, a path for each of its runs: the folder of a run or of an evaluation, a traces.jsonl, a file of
    texts or a log.

    ``seeded`` is as in `Side`; by default all are, but for a run's answers from before training. Raises UserError where
    a path holds none of these, or stands twice.
    """
    places = [Path(path).expanduser() for path in paths]
    files = [_file(place) for place in places]
    for number, file in enumerate(files):
        if file.resolve() in [other.resolve() for other in files[:number]]:
            raise UserError(f"{places[number]}: stands twice in the side {name}; each run must be another")
    runs = tuple(_read_run(place, file, how) for place, file in zip(places, files, strict=True))
    return Side(name, runs, not all(_untrained(file) for file in files) if seeded is None else seeded)


def _file(path: Path) -> Path:
    """The file with the answers of what ``path`` names."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder; give a run, an evaluation, a traces.jsonl or a log")
    for file in (path / EVALUATION / TRACES, path / TRACES):
        if file.is_file():
            return file
    if (path / "config.yaml").is_file():
        raise UserError(f"{path}: the run has no {EVALUATION}/{TRACES} yet; finish it: memreason train … --resume")
    runs = sorted(each.name for each in path.iterdir() if (each / "config.yaml").is_file())
    hint = f"; it holds runs ({listed(runs, 3)}), which are one side as NAME='{path}/*'" if runs else ""
    raise UserError(f"{path}: neither a run nor an evaluation: there is no {TRACES} in it{hint}")


def _root(file: Path) -> Path | None:
    """The folder of the run that the traces are from."""
    return next(
        (folder for folder in (file.parent, *islice(file.parents, 1, 3)) if (folder / MANIFEST).is_file()), None
    )


def _untrained(file: Path) -> bool:
    return file.parent.name == "before" and _root(file) is not None


def _read_run(path: Path, file: Path, how: Reading) -> Run:
    notes: list[str] = []
    if not _is_ours(file):
        if how.task:
            found, unmatched = read_scored(file, how.task)
            if unmatched:
                notes.append(f"{path}: {unmatched} texts are about none of the questions, and are left out")
        else:
            found = list(read_marks(file, how.mark))
        return _gather(path, found, notes)
    return _gather(path, _read_traces(file, notes), notes)


def _is_ours(file: Path) -> bool:
    """Whether a file holds traces that memreason wrote."""
    if file.name.removesuffix(".gz").endswith(".jsonl"):
        return any(row.keys() >= _OURS for _, row in islice(read_jsonl(file), 1))
    return False


def _gather(path: Path, found: Iterator[Found] | Sequence[Found], notes: list[str]) -> Run:
    """A run of what was found; raises UserError where there is nothing."""
    questions: list[Question] = []
    fields: list[Fields] = []
    columns: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURES}
    digest = blake2b(digest_size=16)
    for question, more, answer in found:
        questions.append(question)
        fields.append(more)
        said = answer.verdict.trace.text if answer.verdict else str(answer.mark)
        digest.update(f"{question.id}\n{question.text}\n{said}\n".encode("utf-8", "surrogatepass"))
        for name, measure in MEASURES.items():
            columns[name].append(measure.read(answer) or (np.nan, np.nan))
    if not questions:
        raise UserError(f"{path}: holds no answers")
    arrays = {name: np.array(column, float).T for name, column in columns.items()}
    known = {name: array for name, array in arrays.items() if not np.isnan(array).all()}
    return Run(path, tuple(questions), tuple(fields), known, digest.digest(), tuple(notes))


def _read_traces(file: Path, notes: list[str]) -> Iterator[Found]:
    """The answers in a traces.jsonl, with the explanation beside them and the numbers of their tokens, if these are
    known."""
    explained, count = _explained(file), _Counter(file)
    stale = 0
    rows = read_jsonl(file)
    while some := list(islice(rows, _AT_ONCE)):
        verdicts = [verdict_of_row(file, number, row) for number, row in some]
        lengths = count([verdict.trace.text for verdict in verdicts])
        for (_, row), verdict, tokens in zip(some, verdicts, lengths, strict=True):
            about = explained.get(verdict.trace.question.id)
            if about is not None and not _same(about, verdict):
                stale, about = stale + 1, None
            yield (
                verdict.trace.question,
                {name: value for name, value in row.items() if name not in TraceRow.__annotations__},
                Answer(verdict, has_causes="grounds" in row, tokens=tokens, explained=about),
            )
    if stale:
        notes.append(
            f"{file}: {stale} answers are not those that the explanation beside them is about; explain it anew"
        )


def _explained(file: Path) -> dict[str, Any]:
    """Id of a question → its row in the explanation of the run, if these are the traces that it explains."""
    root = _root(file)
    path = root / EXPLANATION / FIGURES if root and file.parent.name == EVALUATION else None
    if path is None or not path.is_file():
        return {}
    remedy = "delete it, and `memreason explain` makes it anew"
    explanation = read_json(path, remedy)
    with reading(f"{path}: not an explanation", remedy):
        made = [name for name, effect in (explanation.get("interventions") or {}).items() if effect["n"]]
        rows = {row["id"]: row for row in explanation.get("traces") or ()}
        for row in rows.values():
            row["said"] = (row["question"], row["answer"], [(step["type"], step["text"]) for step in row["steps"]])
            if row.get("edits"):
                row["edits"] = {name: row["edits"].get(name, {}) for name in made}
        return rows


def _same(row: Mapping[str, Any], verdict: Verdict) -> bool:
    """Whether a row of an explanation is about this answer."""
    trace = verdict.trace
    steps = [(step.type, step.text) for step in trace.steps]
    return bool(row["said"] == (trace.question.text, trace.answer, steps))


@dataclass
class _Counter:
    """Counts tokens with the tokenizer of the run that the file belongs to."""

    file: Path
    tokenizer: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        root = _root(self.file)
        if root and (path := root / "tokenizer.json").is_file():
            from tokenizers import Tokenizer

            with reading(f"{path}: not a tokenizer", "put back the file of the run"):
                self.tokenizer = Tokenizer.from_file(str(path))
            self.tokenizer.no_truncation()
            self.tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> list[int] | list[None]:
        """The number of tokens of each text; None where there is no tokenizer."""
        if self.tokenizer is None:
            return [None] * len(texts)
        return [len(found.ids) for found in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]
