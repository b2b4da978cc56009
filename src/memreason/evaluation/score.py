"""Texts that any model wrote → verdicts, without loading a model. Needs no torch.

``generations`` is our own traces.jsonl; a JSON array (or JSONL) of
``{"generated_text": …[, "result": "correct" or "wrong"]}`` whose texts begin with their question, as the authors of the
paper published them; or a log of another program (`generations`). The question of a row is found by its field
``question`` (and ``id``), else at the end of its ``prompt``, or, without both, as the longest question with which the
text begins. Case and white space do not matter, and options may follow the question, in
our layout or in the published ones. Lines of a text may begin with planning tokens or with words in brackets,
`[memory]`, as those of a model that was trained with `--add_hard_prompts` do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from memreason.answers.extract import extract_strict
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION_FILES, check_folder, write_result, write_traces
from memreason.evaluation.generations import MARKS, read_generations
from memreason.evaluation.judge import judge_traces, verdict_of
from memreason.evaluation.judged_by import Agreement
from memreason.evaluation.question_index import QuestionIndex
from memreason.evaluation.results import Marks, ScoreResult
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.names import ANSWER, SPELLINGS
from memreason.planning_tokens.parse import parse_text, words_to_tokens
from memreason.records import MEMORY, PLAIN, REASON, Judgement, Solution, Trace, Verdict
from memreason.runtime.files import write_jsonl
from memreason.tasks.base import TaskData

_NAMES_SHOWN = 5
UNMATCHED = "unmatched.jsonl"
_MARKS = MARKS | {"1": True, "1.0": True, "0": False, "0.0": False}
"""As a text → whether it means correct; any other value is no mark."""


Judging = Callable[[TaskData, Sequence[Trace]], tuple[Sequence[Judgement], Agreement | None]]
"""Judges all traces of a task at once, and says how far it agrees with the exact judge, if that is known."""


class Scored(NamedTuple):
    """What `score` returns: the result, the verdicts, and the folder that they were written to."""

    result: ScoreResult
    verdicts: Sequence[Verdict]
    folder: Path


class Unmatched(NamedTuple):
    """A text that is about none of the questions: a line of unmatched.jsonl."""

    place: str
    """Where the text is: file, and line or number from 0."""
    reason: str
    """Why the text could not be scored, in words."""
    text: str
    """The first 200 characters of the text."""


def score(
    task: TaskData,
    generations: str,
    output_dir: str | None = None,
    split: str | None = None,
    judge: tuple[str, Judging] | None = None,
) -> Scored:
    """Score the texts in a file against the questions of a task, and write the result.

    Every matched text counts once, also if its question has several texts (the result lists such questions). Without
    ``split``, texts may be about the questions of all splits, and ``missing`` lists the questions without a text in
    those splits that have any text. ``judge``, its name and itself, reads the steps instead of the task's own judge.
    Writes metrics.json, traces.jsonl, traces.txt and unmatched.jsonl into ``output_dir``, by default the folder
    ``<stem>-score`` beside the file ``generations``. Raises UserError where no text matches a question, and what the
    judge raises; nothing is written then.
    """
    path = Path(generations).expanduser()
    if not path.is_file():
        raise UserError(f"--generations {generations}: no such file")
    folder = Path(output_dir).expanduser() if output_dir else path.with_name(f"{path.stem}-score")
    if path.resolve() in [folder.resolve() / name for name in (*EVALUATION_FILES, UNMATCHED)]:
        raise UserError(f"--output_dir {folder}: {path.name} there is the --generations file; give another folder")
    check_folder(folder)
    solutions = _solutions(task, split)
    traces, marks, unmatched = read_texts(task, path, split)
    agreement: Agreement | None = None
    if judge:
        judgements, agreement = judge[1](task, traces)
        verdicts = [verdict_of(trace, task.answer_kind, j) for trace, j in zip(traces, judgements, strict=True)]
    else:
        verdicts = judge_traces(traces, task.answer_kind, task.judge)
    layout = PlanningTokens(1, 1, tuple(sorted(task.step_types - {PLAIN})))
    try:
        by_id = {solution.question.id: solution for solution in solutions}
        truths = (by_id[trace.question.id] for trace in traces)
        split_of = (trace.question.split for trace in traces)
        overall, splits = write_traces(folder, verdicts, truths, split_of, layout)
        account = _account(verdicts, marks, solutions) | {"judge": judge[0] if judge else None, "agreement": agreement}
        result = ScoreResult(overall, splits, len(unmatched), **account)
        write_result(folder, result)
        write_jsonl(folder / UNMATCHED, (u._asdict() for u in unmatched))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}); give another folder with --output_dir"
        ) from error
    return Scored(result, verdicts, folder)


def read_texts(
    task: TaskData, path: Path, split: str | None = None
) -> tuple[list[Trace], list[bool | None], list[Unmatched]]:
    """The texts in a file that are about questions of the task (or of its ``split``) as traces, the mark of each (True:
    correct, None: not marked), and the other texts.

    Raises UserError where no text is about a question.
    """
    traces, marks, unmatched = _read_traces(list(read_generations(path)), QuestionIndex(_solutions(task, split)), task)
    if not traces:
        why = "; ".join(f"{u.place}: {u.reason}" for u in unmatched[:_NAMES_SHOWN]) or "the file is empty"
        raise UserError(
            f"{path}: no text is about a question of {task.name}{f' ({split})' if split else ''}: {why}; "
            "check --dataset, --data_path and --split, and the numbers of questions (--num_test …) where these are made"
        )
    return traces, marks, unmatched


def _solutions(task: TaskData, split: str | None) -> list[Solution]:
    if split is not None and split not in task.splits:
        raise UserError(f"--split {split}: {task.name} has the splits {', '.join(task.splits)}")
    return [s for name, solutions in task.splits.items() if split in (None, name) for s in solutions]


def _read_traces(
    rows: list[tuple[str, dict[str, Any]]], index: QuestionIndex, task: TaskData
) -> tuple[list[Trace], list[bool | None], list[Unmatched]]:
    """The matched rows as traces, the mark of each (True: correct, None: not marked), and the unmatched rows."""
    unknown = {PLAIN} - task.step_types
    words = sorted({*task.step_types, MEMORY, REASON, *SPELLINGS, ANSWER} - {PLAIN})
    traces: list[Trace] = []
    marks: list[bool | None] = []
    unmatched: list[Unmatched] = []
    for place, row in rows:
        row = {key: whole_characters(value) if isinstance(value, str) else value for key, value in row.items()}
        match = index.find(row)
        if isinstance(match, str):
            unmatched.append(Unmatched(place, match, str(row.get("generated_text", ""))[:200]))
            continue
        question, text = match
        steps, answer = parse_text(words_to_tokens(text, words, on_every_line=True, colons=True))
        well_formed = bool(steps) and all(step.text and step.type not in unknown for step in steps)
        well_formed = well_formed and extract_strict(answer, question, task.answer_kind) is not None
        traces.append(
            Trace(
                question,
                text,
                steps,
                answer,
                # Rows of our own traces.jsonl have these two fields. Of other files, a text without an answer line
                # counts as truncated.
                bool(row.get("well_formed", well_formed)),
                bool(row.get("truncated", answer is None)),
            )
        )
        marks.append(_MARKS.get(str(row.get("result")).strip().lower()))
    return traces, marks, unmatched


def whole_characters(text: str) -> str:
    """The text with pairs of surrogates joined to one character, and � for a single one, which no file can hold."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _account(
    verdicts: Sequence[Verdict], marks: Sequence[bool | None], solutions: Sequence[Solution]
) -> dict[str, Any]:
    """The fields of a `ScoreResult` on the questions and on the marks in the file."""
    times = Counter(verdict.trace.question.id for verdict in verdicts)
    splits = {verdict.trace.question.split for verdict in verdicts}
    marked = [(v, mark) for v, mark in zip(verdicts, marks, strict=True) if mark is not None]
    differing = tuple(v.trace.question.id for v, mark in marked if mark != (v.outcome == "correct"))
    correct, agree = sum(mark for _, mark in marked), len(marked) - len(differing)
    return {
        "missing": tuple(s.question.id for s in solutions if s.question.split in splits and s.question.id not in times),
        "repeated": {id_: count for id_, count in times.items() if count > 1},
        "without_answer_line": tuple(v.trace.question.id for v in verdicts if v.trace.answer is None),
        "marked": Marks(len(marked), correct, agree, differing) if marked else None,
    }
