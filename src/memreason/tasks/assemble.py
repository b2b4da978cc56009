"""Turning the records of any source into a TaskData: some are left out, missing splits are made, all of it is noted."""

from __future__ import annotations

import random
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from memreason.answers.extract import normalise_gold
from memreason.errors import UserError
from memreason.records import MEMORY, PLAIN, REASON, AnswerKind, Question, Solution, Step, one_line
from memreason.runtime.disk_list import DiskList
from memreason.runtime.files import check_whole_characters
from memreason.tasks.base import TaskData

TEST_SHARE = 0.2
"""The part of train that becomes test where the source has only train."""
_PLACES_SHOWN = 25
"""How many records a note names."""
_CARVED = "no {} split in the source: {} questions were taken out of train for it (seed {})"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was read; ``place`` says where it stands (file:line or file[index]).

    ``blemishes`` say what was wrong with its steps. If it is ``broken``, its steps cannot be trained on, and
    only its question and answer are used.
    """

    place: str
    question: str
    options: tuple[str, ...]
    answer: object
    steps: tuple[Step, ...] = ()
    split: str = "train"
    id: str = ""
    blemishes: tuple[str, ...] = ()
    broken: bool = False


def plain_steps(texts: Iterable[str]) -> tuple[Step, ...]:
    """One step without a label for each text that is not blank."""
    return tuple(Step(PLAIN, one_line(text)) for text in texts if text.strip())


class Notes:
    """Collects notes while a dataset is loaded: one line for each kind of fault, with the records that have it."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = defaultdict(list)
        self._plain: list[str] = []

    def add(self, what: str, place: str) -> None:
        """Note that ``what`` happened to the record at ``place``."""
        self._places[what].append(place)

    def say(self, text: str) -> None:
        """Add a note that is not about a single record."""
        self._plain.append(text)

    @property
    def lines(self) -> tuple[str, ...]:
        """All notes, one line each, for `TaskData.notes`."""
        return (*self._plain, *(f"{what}: {_places(places)}" for what, places in self._places.items()))


def _places(places: list[str]) -> str:
    """How many places there are, and the first of them, without their folders."""
    shown = ", ".join(place.rpartition("/")[2] for place in places[:_PLACES_SHOWN])
    more = f" and {len(places) - _PLACES_SHOWN} more" if len(places) > _PLACES_SHOWN else ""
    return f"{len(places)} ({shown}{more})"


def assemble(
    name: str, kind: AnswerKind, records: Sequence[Record], notes: Notes, *, source: str, seed: int, num_validation: int
) -> TaskData:
    """Check gold answers, drop repeated questions, keep the splits apart, and make missing splits.

    ``source`` is the name of the data in messages. A record whose gold answer is not valid is left out. A record with
    broken steps is left out of train, and tested on without steps. Raises UserError where no record is left, where an
    id stands twice, or where fewer than 3 questions would have to give three splits.
    """
    splits: dict[str, _Split] = {}
    counts: dict[str, int] = defaultdict(int)
    ids: dict[int, int] = {}  # hash of an id → number of the record that has it
    for number, record in enumerate(records):
        if blemish := _unusable(record):
            notes.add(f"{record.split} records left out, {blemish}", record.place)
            continue
        solution = _solution(name, record, counts[record.split])
        counts[record.split] += 1
        gold = normalise_gold(record.answer, solution.question, kind)
        key = _hash(question_key(solution.question))
        if gold is None:
            notes.add(f"{record.split} records left out, gold answer not valid", record.place)
        elif record.split in splits and key in splits[record.split].seen:
            notes.add(f"{record.split} records left out, question already stands there", record.place)
        elif not _left_out_of_train(record, notes):
            if (first := ids.setdefault(_hash(solution.question.id), number)) != number:
                raise UserError(
                    f"{record.place}: id {solution.question.id} already stands at {records[first].place}; "
                    "ids are unique"
                )
            solution = replace(solution, question=replace(solution.question, answer=gold))
            splits.setdefault(record.split, _Split()).add(solution, key)
    if not splits:
        raise UserError(f"{source}: no usable records of {name}: {'; '.join(notes.lines) or 'the source is empty'}")
    kept = _keep_apart(splits, notes)
    _fill_in(kept, notes, source, seed, num_validation)
    _describe(kept, notes)
    order = sorted(kept, key=lambda split: (split != "train", split != "validation"))
    return TaskData(name, kind, {split: kept[split] for split in order}, notes.lines)


class _Split:
    """The solutions of one split, on disk, and the hashes of their questions."""

    def __init__(self) -> None:
        self.solutions: DiskList[Solution] = DiskList()
        self.keys = array("q")
        self.seen: set[int] = set()

    def add(self, solution: Solution, key: int) -> None:
        self.solutions.append(solution)
        self.keys.append(key)
        self.seen.add(key)


def _hash(text: str) -> int:
    """64 bits that stand for ``text``, because texts would take most of the memory.

    That any two of a million texts get the same bits happens once in 30 million times.
    """
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def question_key(question: Question) -> str:
    """A key that is equal for questions with the same text and options; case and the order of options do not matter."""
    return "\n".join([one_line(question.text).casefold(), *sorted(o.casefold() for o in question.options)])


def _solution(name: str, record: Record, index: int) -> Solution:
    question = Question(
        id=record.id or f"{name}-{record.split}-{index}",
        text=one_line(record.question),
        answer="",
        options=record.options,
        dataset=name,
        split=record.split,
    )
    return Solution(question, () if record.broken else record.steps)


def _unusable(record: Record) -> str:
    """Why a record cannot be used as a question; empty where it can.

    Raises UserError where a text holds half of a surrogate pair.
    """
    texts = (record.question, *record.options, str(record.answer), record.id, record.split)
    check_whole_characters(record.place, " ".join((*texts, *(step.text for step in record.steps))))
    if not record.question.strip():
        return "question blank"
    return "" if all(map(str.strip, record.options)) else "an option blank"


def _left_out_of_train(record: Record, notes: Notes) -> bool:
    left_out = record.broken and record.split == "train"
    for blemish in record.blemishes:
        fate = ", left out" if left_out else ", used without its steps" if record.broken else ""
        notes.add(f"{record.split} records with {blemish}{fate}", record.place)
    return left_out


def _keep_apart(splits: dict[str, _Split], notes: Notes) -> dict[str, DiskList[Solution]]:
    """Leave out of train the questions of other splits, and out of validation the questions of test."""
    kept: dict[str, DiskList[Solution]] = {}
    held_out: set[int] = set()
    for split in sorted(splits, key=lambda split: (split == "train", split == "validation")):
        solutions, keys = splits[split].solutions, splits[split].keys
        indices = array("q")
        for i, key in enumerate(keys):
            if split in ("train", "validation") and key in held_out:
                notes.add(f"{split} records left out, question is held out in another split", solutions[i].question.id)
            else:
                indices.append(i)
        kept[split] = solutions.chosen(indices)
        if split != "train":
            held_out.update(keys[i] for i in indices)
    return {split: kept[split] for split in splits}


def _fill_in(splits: dict[str, DiskList[Solution]], notes: Notes, source: str, seed: int, num_validation: int) -> None:
    """Take missing splits out of train: `TEST_SHARE` of it for test, at most a tenth of it for validation.

    Test is only made where the source has no split but train.
    """
    if not splits.get("train"):
        notes.say(
            "no question is left in train: all stand in another split too, where they are held out"
            if "train" in splits
            else "there is no train split: the data can be evaluated on, not trained on"
        )
        return
    alone = list(splits) == ["train"]
    if alone and len(splits["train"]) < 3:
        raise UserError(
            f"{source}: {len(splits['train'])} questions are too few to split "
            "into train, validation and test: 3 are enough, different ones; or give each record a split"
            + "".join(f" ({note})" for note in notes.lines)
        )
    if alone:
        count = max(1, round(TEST_SHARE * len(splits["train"])))
        splits["test"] = _carve(splits, "test", count, seed)
        notes.say(f"no test split in the source: {count} questions were taken out of train for it (seed {seed})")
    elif not any(split.startswith("test") for split in splits):
        notes.say("no test split in the source: only train and validation are there")
    if "validation" not in splits and len(splits["train"]) > 1:
        count = max(1, min(num_validation, len(splits["train"]) // 10))
        splits["validation"] = _carve(splits, "validation", count, seed)
        notes.say(_CARVED.format("validation", count, seed))


def _carve(splits: dict[str, DiskList[Solution]], split: str, count: int, seed: int) -> DiskList[Solution]:
    """Take ``count`` solutions out of train for ``split``; their ids do not change, and still name train."""
    train = splits["train"]
    chosen = set(random.Random(f"{split}-{seed}").sample(range(len(train)), count))
    splits["train"] = train.chosen(i for i in range(len(train)) if i not in chosen)
    return DiskList(replace(train[i], question=replace(train[i].question, split=split)) for i in sorted(chosen))


def _describe(splits: dict[str, DiskList[Solution]], notes: Notes) -> None:
    """Note which solutions of each split lack steps or a step type. If no step has a label, that is noted only once."""
    with_types: dict[str, Counter[frozenset[str]]] = {
        split: Counter(frozenset(step.type for step in solution.steps) for solution in solutions)
        for split, solutions in splits.items()
    }
    types = {type_ for counts in with_types.values() for present in counts for type_ in present}
    for split, counts in with_types.items():
        total = counts.total()
        if stepless := counts[frozenset()]:
            notes.say(f"{split}: {stepless} of {total} questions have no steps: not for training")
        for type_ in (MEMORY, REASON) if types != {PLAIN} else ():
            if lacking := sum(count for present, count in counts.items() if present and type_ not in present):
                notes.say(f"{split}: {lacking} of {total} solutions have no {type_} step; kept")
    if types == {PLAIN}:
        notes.say("the steps carry no memory/reason labels; train with --extract_step_type_tokens none, or infer types")
