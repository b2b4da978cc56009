"""The results of an evaluation, a run and a scoring, as types and as their `metrics.json`. Needs no torch.

Each type writes itself with `to_json` and reads itself with `from_json`. The field `format` in the JSON says which form
it has. Older files can still be read: format 1 has no such field; in format 2, `errors_by_cause` had another meaning,
and `grounds`, `kinds` and `types_fit` were missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from memreason.errors import UserError
from memreason.evaluation.judged_by import Agreement
from memreason.evaluation.older_formats import evaluation_of_format_1, run_of_format_1, score_of_format_1
from memreason.evaluation.training_account import TrainingAccount
from memreason.runtime.reading import check_fields, known_fields, read_object, reading, shown

FORMAT = 3
"""The newest form of all these files."""
_REMEDY = "delete it, and the command that wrote it makes it anew"
_REMEDY_OF_A_RUN = "delete it, and `memreason train … --resume` makes it anew, or trains where no checkpoint-… is left"


@dataclass(frozen=True)
class Metrics:
    """Counts and rates over some traces. All rates and intervals are in [0, 1].

    A missing answer lowers the accuracy like a wrong one, but is counted separately. The last nine fields are there
    only if a judge read the steps (`judged`). A rate over no items is None.
    """

    accuracy: float
    """Share of questions whose answer line gives the right answer; nothing else is read (strict extractor)."""
    interval: tuple[float, float]
    """95% Wilson interval of `accuracy`, [low, high]."""
    n: int
    """Number of questions."""
    correct: int
    """Number of questions with a right answer."""
    incorrect: int
    """Number of questions with a wrong answer."""
    no_answer: int
    """Number of questions in whose trace the strict extractor finds no answer."""
    well_formed: float
    """Share of traces whose text is exactly the text that their parsed steps and answer are rendered to."""
    truncated: float
    """Share of traces that reached the length limit before their end token."""
    flexible_accuracy: float
    """Like `accuracy`, with the flexible extractor: it takes a marked answer anywhere, else the last in the text."""
    flexible_interval: tuple[float, float]
    """95% Wilson interval of `flexible_accuracy`, [low, high]."""
    steps: dict[str, int]
    """Step type → number of steps of that type in all traces."""
    memory_true: float | None = None
    """Share of memory steps that are true: of the steps that say a fact, whatever their type, and of those of the type
    `memory` that the judge could not read, which do not count as true. `memreason compare` leaves the latter out."""
    memory_unreadable: float | None = None
    """Share of these memory steps whose truth could not be judged."""
    reason_valid: float | None = None
    """Share of reason steps that follow from what the trace says before them: of the steps that say a conclusion,
    whatever their type, and of those of the type `reason` that the judge could not read, which do not count as
    following. `memreason compare` leaves the latter out."""
    reason_unreadable: float | None = None
    """Share of these reason steps whose validity could not be judged."""
    answer_follows: float | None = None
    """Share of answer lines that follow from the steps, among the traces that have an answer line."""
    errors_by_cause: dict[str, int] | None = None
    """Why answers are wrong → number of them: `unreadable`, `missing_memory`, `answer_slip`, `false_memory`,
    `wrong_inference`, `both`; `unexplained`, if the judge names no cause. Where `grounds` is null, the file is older,
    and the first fault was counted: `false_memory`, `wrong_inference`, `unreadable`."""
    grounds: dict[str, int] | None = None
    """What right answers rest on → number of them: `sound`, `lucky` (on a false memory or on an invalid step),
    `unreadable` (nothing is false, but something could not be judged). Null in files of format 2 and older."""
    kinds: dict[str, int] | None = None
    """`memory` and `reason` → the number of steps that `memory_true` and `reason_valid` are shares of. Null in files of
    format 2 and older, where these are the steps of that type."""
    types_fit: float | None = None
    """Share of steps whose type says what their text says (a fact under `memory`, a conclusion under `reason`), among
    the steps of these two types that the judge could read. Null in files of format 2 and older."""

    @property
    def judged(self) -> bool:
        """Whether a judge read the steps."""
        return self.errors_by_cause is not None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON; without the last nine where no judge read the steps."""
        row = asdict(self) | {name: list(getattr(self, name)) for name in _INTERVALS}
        return row if self.judged else {name: value for name, value in row.items() if name not in _JUDGED}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Read `to_json` back; unknown keys are ignored. Raises KeyError, TypeError, ValueError."""
        metrics = cls(**known_fields(cls, row) | {name: _interval(row[name]) for name in _INTERVALS})
        if metrics.n < 1 or metrics.correct + metrics.incorrect + metrics.no_answer != metrics.n:
            raise ValueError(f"n is {shown(metrics.n)}, and not the sum of correct, incorrect and no_answer")
        given = {name: value for name, value in asdict(metrics).items() if value is not None}
        for name, value in given.items():
            numbers = value.values() if isinstance(value, dict) else value if name in _INTERVALS else [value]
            if not all(0 <= number <= (number if name in _COUNTS else 1) for number in numbers):  # not a number is not
                raise ValueError(f"{name} is {shown(value)}, and not in [0, {'…' if name in _COUNTS else 1}]")
        if not metrics.judged and any(name in given for name in _JUDGED):
            raise KeyError("errors_by_cause")
        return metrics


_INTERVALS = ("interval", "flexible_interval")
_COUNTS = ("n", "correct", "incorrect", "no_answer", "steps", "errors_by_cause", "grounds", "kinds")
_JUDGED = tuple(field.name for field in fields(Metrics) if field.default is None)


@dataclass(frozen=True)
class EvaluationResult:
    """The metrics of one evaluation: `metrics.json` in an evaluation's folder."""

    overall: Metrics
    """Metrics over the questions of all splits together; with one split, the same as the metrics of that split."""
    splits: dict[str, Metrics]
    """Name of split → metrics over its questions."""
    dtype: str | None
    """Data type of the weights during the evaluation; null in a run's file of format 1 with several splits."""

    def to_json(self) -> dict[str, Any]:
        """{"format", "dtype", "overall": metrics, "splits": {split: metrics}}."""
        return {"format": FORMAT, "dtype": self.dtype, **_by_split(self.overall, self.splits)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any], where: object = "metrics.json") -> Self:
        """Read `to_json` back, or an older file. Raises UserError that begins with ``where``."""
        with reading(f"{where}: not the metrics of an evaluation", _REMEDY):
            row = _newest(row, where, evaluation_of_format_1)
            check_fields(cls, {"dtype": row["dtype"]})
            return cls(Metrics.from_json(row["overall"]), _splits(row["splits"]), row["dtype"])


@dataclass(frozen=True)
class ValidationResult:
    """The metrics on the validation split of the weights with which a run ends."""

    epoch: float
    """The number of epochs trained when these weights were evaluated."""
    metrics: Metrics
    """Metrics on the validation split; in the file, their fields stand beside `epoch`."""

    def to_json(self) -> dict[str, Any]:
        """{"epoch", and the metrics beside it}."""
        return {"epoch": self.epoch, **self.metrics.to_json()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Read `to_json` back. Raises KeyError, TypeError, ValueError."""
        check_fields(cls, {"epoch": row["epoch"]})
        return cls(row["epoch"], Metrics.from_json(row))


@dataclass(frozen=True)
class RunResult:
    """The outcome of `memreason train`: `metrics.json` in a run's folder."""

    before: EvaluationResult | None
    """The base model on the test splits, with solved examples in its prompt; only there with `--k_shot`. In the file,
    `before` is {split: metrics}, and the metrics over all splits stand in `overall`."""
    after: EvaluationResult
    """The trained model on the test splits; in the file as `before` is."""
    validation: ValidationResult | None
    """Metrics on the validation split of the weights with which the run ends; null if they were not evaluated."""
    training: TrainingAccount
    """What the run was trained on."""

    def to_json(self) -> dict[str, Any]:
        """{"format", "dtype", "before"?: {split: metrics}, "after": {split: metrics}, "overall": {"before"?: metrics,
        "after": metrics}, "validation": {"epoch", metrics} or None, "training"}."""
        evaluations = {"before": self.before, "after": self.after}
        there = {name: result for name, result in evaluations.items() if result}
        by_split = {name: _by_split(result.overall, result.splits) for name, result in there.items()}
        return {
            "format": FORMAT,
            "dtype": self.after.dtype,
            **{name: row["splits"] for name, row in by_split.items()},
            "overall": {name: row["overall"] for name, row in by_split.items()},
            "validation": self.validation.to_json() if self.validation else None,
            "training": self.training.to_json(),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any], where: object = "metrics.json") -> Self:
        """Read `to_json` back, or an older file. Raises UserError that begins with ``where``.

        A file of format 1 lacks some metrics over several splits; they are pooled from the metrics of the splits.
        """
        with reading(f"{where}: not the metrics of a run", _REMEDY_OF_A_RUN):
            row = _newest(row, where, run_of_format_1)
            check_fields(EvaluationResult, {"dtype": row["dtype"]})
            validation = row["validation"]
            before, after = (
                EvaluationResult(Metrics.from_json(row["overall"][when]), _splits(row[when]), row["dtype"])
                if when in row
                else None
                for when in ("before", "after")
            )
            if after is None:
                raise KeyError("after")
            return cls(
                before,
                after,
                ValidationResult.from_json(validation) if validation is not None else None,
                TrainingAccount.from_json(row["training"]),
            )


@dataclass(frozen=True)
class Marks:
    """How the marks (correct or wrong) in a file of texts agree with our verdicts."""

    n: int
    """Number of texts that are marked as correct or wrong."""
    correct: int
    """Number of these texts that are marked as correct."""
    agree: int
    """Number of these texts whose mark is the same as our verdict (strict extractor)."""
    differing: tuple[str, ...]
    """Ids of the questions of those texts whose mark differs from our verdict."""


@dataclass(frozen=True)
class ScoreResult:
    """The outcome of `memreason score`: `metrics.json` in its output folder."""

    overall: Metrics
    """Metrics over all texts that are about a question. If a question has several texts, each of them counts."""
    splits: dict[str, Metrics]
    """Split → metrics over the texts about its questions; empty for a file of format 1 with several splits."""
    unmatched: int
    """Number of texts that are about none of the questions; unmatched.jsonl lists them."""
    missing: tuple[str, ...]
    """Ids of questions without a text. Splits without any text are not counted."""
    repeated: dict[str, int]
    """Id of a question with several texts → their number."""
    without_answer_line: tuple[str, ...]
    """Ids of questions whose text has no answer line; an id appears once for each such text."""
    marked: Marks | None = None
    """How the marks in the file agree with the verdicts; left out if it has none."""
    judge: str | None = None
    """Name of the judge (`--judge`) that read the steps; left out where none was named."""
    agreement: Agreement | None = None
    """How far that judge agrees with the exact one; left out for the exact one, and where this was not measured."""

    def to_json(self) -> dict[str, Any]:
        """{"format", "overall", "splits", "unmatched", "missing", "repeated", "without_answer_line", and, if they are
        there, "marked", "judge", "agreement"}."""
        row: dict[str, Any] = {
            "format": FORMAT,
            **_by_split(self.overall, self.splits),
            "unmatched": self.unmatched,
            "missing": list(self.missing),
            "repeated": dict(self.repeated),
            "without_answer_line": list(self.without_answer_line),
        }
        if self.marked:
            row["marked"] = asdict(self.marked) | {"differing": list(self.marked.differing)}
        judged = {"judge": self.judge, "agreement": self.agreement and self.agreement.to_json()}
        return row | {name: value for name, value in judged.items() if value}

    @classmethod
    def from_json(cls, row: Mapping[str, Any], where: object = "metrics.json") -> Self:
        """Read `to_json` back, or an older file. Raises UserError that begins with ``where``."""
        with reading(f"{where}: not the metrics of `memreason score`", _REMEDY):
            row = _newest(row, where, score_of_format_1)
            accounts = {name: row[name] for name in ("unmatched", "missing", "repeated", "without_answer_line")}
            check_fields(cls, accounts)
            accounts |= {name: tuple(accounts[name]) for name in ("missing", "without_answer_line")}
            marked = None
            if "marked" in row:
                known = known_fields(Marks, row["marked"])
                marked = Marks(**known | {"differing": tuple(known["differing"])})
            agreement = Agreement.from_json(row["agreement"]) if "agreement" in row else None
            overall, splits = Metrics.from_json(row["overall"]), _splits(row["splits"])
            return cls(overall, splits, **accounts, marked=marked, judge=row.get("judge"), agreement=agreement)


Result = EvaluationResult | RunResult | ScoreResult
"""The types that a metrics.json can hold."""
AResult = TypeVar("AResult", EvaluationResult, RunResult, ScoreResult)


def read_result(kind: type[AResult], path: Path) -> AResult:
    """Read a metrics.json that holds a result of that ``kind``. Raises UserError."""
    with reading(f"{path} is damaged", _REMEDY):
        return kind.from_json(read_object(path), path)


def _newest(
    row: Mapping[str, Any], where: object, of_format_1: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Mapping[str, Any]:
    """The row in the newest form. Raises UserError where its format is not known."""
    number = row.get("format", 1)
    if number not in range(1, FORMAT + 1) or isinstance(number, bool):
        raise UserError(f"{where}: format {shown(number)} is not known here, newest is {FORMAT}; update memreason")
    return of_format_1(row) if number == 1 else row


def _interval(value: Any) -> tuple[float, float]:
    low, high = value
    return low, high


def _by_split(overall: Metrics, splits: Mapping[str, Metrics]) -> dict[str, Any]:
    return {"overall": overall.to_json(), "splits": {name: metrics.to_json() for name, metrics in splits.items()}}


def _splits(rows: Mapping[str, Any]) -> dict[str, Metrics]:
    return {name: Metrics.from_json(row) for name, row in rows.items()}
