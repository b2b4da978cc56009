"""From the records of any source to a TaskData: what is left out, what is split off, what is noted."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from memreason.answers import normalise_gold
from memreason.errors import UserError
from memreason.records import MEMORY, PLAIN, REASON, Question, Solution, Step, one_line
from memreason.tasks import AnswerKind, TaskData

TEST_SHARE = 0.2
_PLACES_SHOWN = 25
_CARVED = "no {} split in the source: {} questions were taken out of train for it (seed {})"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: ``place`` is where it stands (file:line, file[index]).

    ``blemishes`` say what was wrong with its steps and what was done; with ``broken`` the steps
    cannot be trained on, and only question and answer are used.
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
    """Counts what happened to which records, and says it in one line a kind of happening."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = defaultdict(list)
        self._plain: list[str] = []

    def add(self, what: str, place: str) -> None:
        """One record more to which this happened."""
        self._places[what].append(place)

    def say(self, text: str) -> None:
        """A note that is about no single record."""
        self._plain.append(text)

    @property
    def lines(self) -> tuple[str, ...]:
        """The notes, as they go into TaskData."""
        return (*self._plain, *(f"{what}: {_places(places)}" for what, places in self._places.items()))


def _places(places: list[str]) -> str:
    """How many, and where the first of them stand, without their folder."""
    shown = ", ".join(place.rpartition("/")[2] for place in places[:_PLACES_SHOWN])
    more = f" and {len(places) - _PLACES_SHOWN} more" if len(places) > _PLACES_SHOWN else ""
    return f"{len(places)} ({shown}{more})"


def assemble(
    name: str, kind: AnswerKind, records: list[Record], notes: Notes, *, seed: int, num_validation: int
) -> TaskData:
    """Check gold answers, drop repeated questions, keep the splits apart, and fill in missing splits.

    A record whose gold answer is none is left out; one whose steps are broken is left out of train
    and tested on without steps. Raises UserError where nothing is left, or an id stands twice.
    """
    splits: dict[str, list[Solution]] = {}
    seen: dict[str, set[str]] = defaultdict(set)
    ids: dict[str, str] = {}
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        solution = _solution(name, record, counts[record.split])
        counts[record.split] += 1
        gold = normalise_gold(record.answer, solution.question, kind)
        key = question_key(solution.question)
        if gold is None:
            notes.add(f"{record.split} records left out, gold answer not valid", record.place)
        elif key in seen[record.split]:
            notes.add(f"{record.split} records left out, question already stands there", record.place)
        elif not _left_out_of_train(record, notes):
            if (first := ids.setdefault(solution.question.id, record.place)) != record.place:
                raise UserError(f"{record.place}: id {solution.question.id} already stands at {first}; ids are unique")
            seen[record.split].add(key)
            solution = replace(solution, question=replace(solution.question, answer=gold))
            splits.setdefault(record.split, []).append(solution)
    if not splits:
        raise UserError(f"{name}: no usable records: {'; '.join(notes.lines) or 'the source is empty'}")
    _keep_apart(splits, notes)
    _fill_in(splits, notes, seed, num_validation)
    _describe(splits, notes)
    order = sorted(splits, key=lambda split: (split != "train", split != "validation"))
    return TaskData(name, kind, {split: splits[split] for split in order}, notes.lines)


def question_key(question: Question) -> str:
    """Two questions with the same key are the same question: text and options, in any order and case."""
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


def _left_out_of_train(record: Record, notes: Notes) -> bool:
    left_out = record.broken and record.split == "train"
    for blemish in record.blemishes:
        fate = ", left out" if left_out else ", used without its steps" if record.broken else ""
        notes.add(f"{record.split} records with {blemish}{fate}", record.place)
    return left_out


def _keep_apart(splits: dict[str, list[Solution]], notes: Notes) -> None:
    """Remove from train what is tested or validated on, and from validation what is tested on."""
    held_out: set[str] = set()
    for split in sorted(splits, key=lambda split: (split == "train", split == "validation")):
        kept = []
        for solution in splits[split]:
            if split in ("train", "validation") and question_key(solution.question) in held_out:
                notes.add(f"{split} records left out, question is held out in another split", solution.question.id)
            else:
                kept.append(solution)
        splits[split] = kept
        held_out |= {question_key(solution.question) for solution in kept}


def _fill_in(splits: dict[str, list[Solution]], notes: Notes, seed: int, num_validation: int) -> None:
    """Carve the splits that the source lacks out of train: test a fifth, validation at most a tenth."""
    if not splits.get("train"):
        notes.say("there is no train split: the data can be evaluated on, not trained on")
        return
    alone = list(splits) == ["train"]
    if alone and len(splits["train"]) < 3:
        raise UserError(
            f"{splits['train'][0].question.dataset}: {len(splits['train'])} questions are too few to split "
            "into train, validation and test; give more, or give each record a split"
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


def _carve(splits: dict[str, list[Solution]], split: str, count: int, seed: int) -> list[Solution]:
    """Take ``count`` solutions out of train; they keep their ids, which say where they came from."""
    train = splits["train"]
    chosen = set(random.Random(f"{split}-{seed}").sample(range(len(train)), count))
    splits["train"] = [solution for i, solution in enumerate(train) if i not in chosen]
    return [replace(train[i], question=replace(train[i].question, split=split)) for i in sorted(chosen)]


def _describe(splits: dict[str, list[Solution]], notes: Notes) -> None:
    """Note, of each split, what its solutions lack; once only, where no step of the dataset has a label."""
    types = {step.type for solutions in splits.values() for solution in solutions for step in solution.steps}
    for split, solutions in splits.items():
        stepless = sum(not solution.steps for solution in solutions)
        if stepless:
            notes.say(f"{split}: {stepless} of {len(solutions)} questions have no steps: not for training")
        for type_ in (MEMORY, REASON) if types != {PLAIN} else ():
            lacking = sum(bool(s.steps) and all(step.type != type_ for step in s.steps) for s in solutions)
            if lacking:
                notes.say(f"{split}: {lacking} of {len(solutions)} solutions have no {type_} step; kept")
    if types == {PLAIN}:
        notes.say("the steps carry no memory/reason labels; train with --extract_step_type_tokens none, or infer types")
