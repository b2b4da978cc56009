"""Texts that any model wrote → verdicts, without loading a model. Needs no torch.

``generations`` is our own traces.jsonl; a JSON array (or JSONL) of
``{"generated_text": …[, "result": "correct" or "wrong"]}`` whose texts begin with their question, as the authors of the
paper published them; or a log of another program (`generations`). The question of a row is found by its field
``question`` (a field ``id`` chooses among equal questions), else at the end of its ``prompt``, or, without both, as the
longest question with which the text begins. Case and white space do not matter, and options may follow the question, in
our layout or in the published ones.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from memreason.answers.extract import extract_strict
from memreason.answers.marks import plain
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION_FILES, check_folder, write_result, write_traces
from memreason.evaluation.generations import read_generations
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.results import Marks, ScoreResult
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.parse import parse_text
from memreason.records import PLAIN, Question, Solution, Trace, Verdict, lettered
from memreason.runtime.files import write_jsonl
from memreason.tasks.assemble import question_key
from memreason.tasks.base import TaskData
from memreason.tasks.registry import load_task

_WORD = re.compile(r"\w+|[^\w\s]")
_NAMES_SHOWN = 5
_LONGEST_CUE = 10
"""Most words, signs among them, after the question in a prompt: "Answer: Let's think step by step." has ten."""
UNMATCHED = "unmatched.jsonl"
_MARKS = dict.fromkeys(("correct", "true", "right", "yes", "pass", "passed", "1", "1.0"), True) | dict.fromkeys(
    ("wrong", "incorrect", "false", "no", "fail", "failed", "0", "0.0"), False
)
"""The words with which files mark a text → whether they mean correct; any other value is no mark."""


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


class QuestionIndex:
    """Finds the question that a row is about."""

    def __init__(self, solutions: Sequence[Solution]) -> None:
        questions = [solution.question for solution in solutions]
        self._by_id = {question.id: question for question in questions}
        self._by_key = {question_key(question): question for question in questions}
        self._by_opening: dict[tuple[str, ...], list[Question]] = defaultdict(list)
        for question in questions:
            for opening in _openings(question):
                self._by_opening[opening].append(question)
        self._lengths = sorted(set(map(len, self._by_opening)), reverse=True)
        self._lengths_by_end: dict[str, list[int]] = {}
        for opening in sorted(filter(None, self._by_opening), key=len, reverse=True):
            lengths = self._lengths_by_end.setdefault(opening[-1], [])
            if len(opening) not in lengths[-1:]:
                lengths.append(len(opening))

    def find(self, row: dict[str, Any]) -> tuple[Question, str] | str:
        """(question, text after the question) of a row; if no question is found, the reason in words."""
        text = row.get("generated_text")
        if not isinstance(text, str):
            return 'no "generated_text" in the row'
        opened = self._find_opening(text)
        if not any(isinstance(row.get(field), str) for field in ("question", "prompt")):
            return opened
        question = self._find_named(row)
        if question is None:
            return "its question is not among the questions"
        if isinstance(question, str):
            return question
        repeats_it = isinstance(opened, tuple) and opened[0] is question
        return question, opened[1] if repeats_it else text

    def _find_named(self, row: dict[str, Any]) -> Question | str | None:
        """The question with the row's id, if its text is the row's question too; otherwise by the row's question, or
        at the end of its prompt. A text where the options are not the question's, which makes letters meaningless."""
        options = row.get("options")
        options = options if isinstance(options, list) and all(isinstance(option, str) for option in options) else ()
        asked, prompt, found = row.get("question"), row.get("prompt"), None
        if isinstance(asked, str):
            key = question_key(Question("", asked, "", tuple(options)))
            named = self._by_id.get(str(row.get("id")))
            if named and question_key(named) == key:
                found = named
            else:
                opened = self._find_opening(asked)
                found = self._by_key.get(key) or (opened[0] if isinstance(opened, tuple) else None)
        for text in (asked, prompt):
            found = found or (self._find_last(text, options) if isinstance(text, str) else None)
        if found and options and found.options and list(map(plain, options)) != list(map(plain, found.options)):
            return f"its options are not those of the question {found.id}, or stand in another order"
        return found

    def _find_last(self, text: str, options: Sequence[str]) -> Question | None:
        """The question that stands at the end of a text, the longest one of those that end there.

        Only a cue may follow, such as "Answer:", so that no example before the question that was asked is taken for it;
        and before the cue ``options``, those of the row. A row without options must have the question's there.
        """
        words = _words(text)
        for end in range(len(words), 0, -1):
            for length in self._lengths_by_end.get(words[end - 1], ()):
                if questions := length <= end and self._by_opening.get(tuple(words[end - length : end])):
                    fitting = [q for q in questions if _is_cue(_after_options(words[end:], q, length, options))]
                    return fitting[0] if len(fitting) == 1 else None
        return None

    def _find_opening(self, text: str) -> tuple[Question, str] | str:
        """(question, text after it) for the longest question with which the text begins; or the reason in words."""
        words = list(_WORD.finditer(text))
        spelled = [word[0].casefold() for word in words[: max(self._lengths, default=0) + 2]]
        skip = 2 if spelled[:2] == ["question", ":"] else 0
        for length in (length for length in self._lengths if 0 < length <= len(spelled) - skip):
            questions = self._by_opening.get(tuple(spelled[skip : skip + length]), ())
            if len(questions) > 1:
                return f"{len(questions)} questions begin like it"
            if questions:
                return questions[0], text[words[skip + length - 1].end() :].strip()
        return 'it has no "question", and its text begins with none of the questions'


def _after_options(words: list[str], question: Question, length: int, options: Sequence[str]) -> list[str] | None:
    """The ``words`` without the options with which they begin: ``options``, or else those of the question before them.

    None where they must begin with options and do not. ``length`` is that of the question, and tells whether its
    options are part of it.
    """
    if length > len(_words(question.text)):
        return words
    end = 0
    for option in map(_words, options or question.options):
        places = range(end, len(words) - len(option) + 1)
        place = next((place for place in places if words[place : place + len(option)] == option), None)
        if place is None:
            return words if options else None
        end = place + len(option)
    return words[end:]


def _is_cue(words: list[str] | None) -> bool:
    return words is not None and len(words) <= _LONGEST_CUE and "?" not in words


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _openings(question: Question) -> set[tuple[str, ...]]:
    """The words with which a text about the question may begin: the question alone, or with options in two layouts."""
    listed = " ".join(lettered(question.options))
    texts = [question.text]
    if listed:
        texts += [f"{question.text} Options: {listed}", f"{question.text} {listed}"]
    return {tuple(_words(text)) for text in texts}


def score(
    dataset: str,
    data_path: str | None,
    generations: str,
    output_dir: str | None = None,
    split: str | None = None,
    *,
    seed: int = 0,
    sizes: dict[str, int] | None = None,
) -> Scored:
    """Score the texts in a file against the questions of a dataset, and write the result.

    Every matched text counts once, also if its question has several texts (the result lists such questions). Without
    ``split``, texts may be about the questions of all splits, and ``missing`` lists the questions without a text in
    those splits that have any text. Writes metrics.json, traces.jsonl, traces.txt and unmatched.jsonl into
    ``output_dir``, by default the folder ``<stem>-score`` beside the file ``generations``. Raises UserError where no
    text matches a question.
    """
    task = load_task(dataset, data_path, seed=seed, sizes=sizes)
    path = Path(generations).expanduser()
    if not path.is_file():
        raise UserError(f"--generations {generations}: no such file")
    folder = Path(output_dir).expanduser() if output_dir else path.with_name(f"{path.stem}-score")
    if path.resolve() in [folder.resolve() / name for name in (*EVALUATION_FILES, UNMATCHED)]:
        raise UserError(f"--output_dir {folder}: {path.name} there is the --generations file; give another folder")
    check_folder(folder)
    solutions = _solutions(task, split)
    rows = list(read_generations(path))
    traces, marks, unmatched = _read_traces(rows, QuestionIndex(solutions), task)
    if not traces:
        why = "; ".join(f"{u.place}: {u.reason}" for u in unmatched[:_NAMES_SHOWN]) or "the file is empty"
        raise UserError(
            f"{path}: no text is about a question of {task.name}{f' ({split})' if split else ''}: {why}; "
            "check --dataset, --data_path and --split"
        )
    verdicts = judge_traces(traces, task.answer_kind, task.judge)
    layout = PlanningTokens(1, 1, tuple(sorted(task.step_types - {PLAIN})))
    try:
        by_id = {solution.question.id: solution for solution in solutions}
        truths = (by_id[trace.question.id] for trace in traces)
        split_of = (trace.question.split for trace in traces)
        overall, splits = write_traces(folder, verdicts, truths, split_of, layout)
        result = ScoreResult(overall, splits, len(unmatched), **_account(verdicts, marks, solutions))
        write_result(folder, result)
        write_jsonl(folder / UNMATCHED, (u._asdict() for u in unmatched))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}); give another folder with --output_dir"
        ) from error
    return Scored(result, verdicts, folder)


def _solutions(task: TaskData, split: str | None) -> list[Solution]:
    if split is not None and split not in task.splits:
        raise UserError(f"--split {split}: {task.name} has the splits {', '.join(task.splits)}")
    return [s for name, solutions in task.splits.items() if split in (None, name) for s in solutions]


def _read_traces(
    rows: list[tuple[str, dict[str, Any]]], index: QuestionIndex, task: TaskData
) -> tuple[list[Trace], list[bool | None], list[Unmatched]]:
    """The matched rows as traces, the mark of each (True: correct, None: not marked), and the unmatched rows."""
    unknown = {PLAIN} - task.step_types
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
        steps, answer = parse_text(text)
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
