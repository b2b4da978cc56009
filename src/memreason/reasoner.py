"""Ask a trained model from Python: `load(path).answer("…")`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import overload

from transformers.utils import logging as transformers_logging

from memreason.config.run import recorded_options
from memreason.errors import UserError, did_you_mean
from memreason.generation.answer import answer_each
from memreason.generation.decoding import GREEDY, Decoding
from memreason.generation.edit import Edit, edit
from memreason.generation.engine import Engine
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.load import load as load_unit
from memreason.models.manifest import is_checkpoint
from memreason.models.unit import ModelUnit
from memreason.records import AnswerKind, Question, Step, Trace, one_line
from memreason.runtime.devices import choose_device
from memreason.tasks.fields import MOST_OPTIONS
from memreason.tasks.registry import answer_kind_of

logger = logging.getLogger(__name__)

WARM = Decoding(temperature=1.0, n=8)


class Reasoner:
    """A loaded checkpoint that answers questions with traces.

    ``answer_kind`` is the kind of answers of the task that it was trained for, which constrained decoding uses.
    """

    def __init__(self, unit: ModelUnit, use_calculator: bool = False, answer_kind: AnswerKind | None = None):
        self.unit = unit
        self.use_calculator = use_calculator
        self.answer_kind = answer_kind

    def engine(self, batch_size: int = 64) -> Engine:
        """An engine that answers requests with this model, ``batch_size`` answers at a time: to sample, to continue
        steps that are given, or to take requests while others are under way."""
        return Engine(self.unit, GenerationOptions(batch_size, use_calculator=self.use_calculator), self.answer_kind)

    @overload
    def answer(  # type: ignore[overload-overlap]
        self,
        question: str | Question,
        options: Sequence[str] = (),
        batch_size: int = 64,
        decoding: Decoding = GREEDY,
    ) -> Trace: ...
    @overload
    def answer(
        self,
        question: Sequence[str | Question],
        options: Sequence[str] = (),
        batch_size: int = 64,
        decoding: Decoding = GREEDY,
    ) -> list[Trace]: ...
    def answer(
        self,
        question: str | Question | Sequence[str | Question],
        options: Sequence[str] = (),
        batch_size: int = 64,
        decoding: Decoding = GREEDY,
    ) -> Trace | list[Trace]:
        """Answer one question, or a list of them, ``batch_size`` questions at a time, each once.

        ``decoding`` is greedy unless it says otherwise. ``options`` makes a single question multiple choice; in a list,
        give `Question` records that hold
        their own options. A trace has `.steps` (each with `.type` and `.text`), `.answer` (the text on
        the answer line, or None) and `.well_formed`.
        Raises UserError, before any question is answered, where a question is not a text, is empty, or is too long
        for the model, and where options are not a list of texts.
        """
        alone = isinstance(question, str | Question)
        if not alone and options:
            raise UserError("options belong to one question; in a batch, give Question records with their own")
        generation = GenerationOptions(batch_size, use_calculator=self.use_calculator, decoding=decoding)
        if not isinstance(question, str | Question | Iterable):
            raise UserError(f"a question is a text or a Question, or a list of them, and not {type(question).__name__}")
        inputs: Sequence[str | Question] = [question] if isinstance(question, str | Question) else list(question)
        questions = [as_question(given, options, "" if alone else f"question {i}: ") for i, given in enumerate(inputs)]
        for i, record in enumerate(questions):
            self._check_length(record, "the question" if alone else f"question {i}")
        if decoding.n != 1:
            raise UserError(f"n {decoding.n}: here each question is answered once; `samples` answers it more often")
        traces: dict[int, Trace] = {}
        answer_each(self.unit, questions, traces.__setitem__, generation, answer_kind=self.answer_kind)
        return traces[0] if alone else [traces[i] for i in range(len(questions))]

    def samples(self, question: str | Question, options: Sequence[str] = (), decoding: Decoding = WARM) -> list[Trace]:
        """Answer one question ``decoding.n`` times. Raises UserError as `answer` does."""
        request = Request(as_question(question, options), decoding=decoding)
        engine = self.engine()
        handle = engine.submit(request)
        engine.run()
        return [answer.trace for answer in handle.wait()]

    def intervene(
        self,
        trace: Trace,
        edits: Mapping[int, Edit] | None = None,
        insert: Mapping[int, Sequence[Step]] | None = None,
        decoding: Decoding = GREEDY,
    ) -> Trace:
        """What the model would have written if some steps of its ``trace`` were others.

        ``edits`` says what steps (counted from 0) become: another text, another `Step`, or None, which takes the step
        out. ``insert`` says which steps are put before a step. What stands before the first change stays, token by
        token, and what stands behind the last is written anew. See `generation.edit.edit` for all rules. Raises
        UserError where there is no such step, where a text cannot be that of a step, where no room is left for an
        answer, and for a model whose solutions begin with a plan.
        """
        if decoding.n != 1:
            raise UserError(f"n {decoding.n}: an edited answer is continued once; give n=1")
        engine = self.engine(1)
        handle = engine.submit(edit(self.unit, trace, edits, insert).request(decoding))
        engine.run()
        return handle.wait()[0].trace

    def _check_length(self, question: Question, name: str) -> None:
        tokens = len(self.unit.layout.encode_prompt(self.unit.tokenizer, question))
        if tokens >= (limit := self.unit.manifest.model_max_length):
            raise UserError(
                f"{name} has {tokens} tokens, and {limit} is the most that this model takes, its answer included; "
                "shorten it, or train with a higher --model_max_length"
            )

    def stream(self, question: str, options: Sequence[str] = (), decoding: Decoding = GREEDY) -> Iterator[str]:
        """The text of the answer, planning tokens included, piece by piece while it is generated.

        Raises UserError as `answer` does.
        """
        return stream(self.engine(1), Request(as_question(question, options), decoding=decoding))


def load(path: str | Path, base: str | None = None, dtype: str | None = None, device: str = "auto") -> Reasoner:
    """Load a checkpoint (a run folder, or one of its `checkpoint-…` folders).

    The model uses the calculator where its run was trained with `--use_calculator`.
    ``base`` says where the base model is now, ``dtype`` the data type of the weights, if they differ from what the
    checkpoint says; ``device`` is one of `DEVICES` (see `choose_device`).
    Raises UserError where ``path`` is not a checkpoint, or where its base model cannot be loaded.
    """
    check_checkpoint(Path(path))
    with _quietly():
        unit = load_unit(Path(path), base, dtype, device=choose_device(device))
    # Not the whole config: a checkpoint can answer, whatever stands there about its training.
    options = recorded_options(Path(path))
    if options.get("use_demonstrations"):
        logger.warning(f"{path} was trained with solved examples before each question, and is asked without them here")
    kind = answer_kind_of(str(options.get("dataset", "")))
    return Reasoner(unit, bool(options.get("use_calculator")), kind)


def as_question(question: object, options: Sequence[str] = (), name: str = "") -> Question:
    """The question as a record.

    Raises UserError, whose message starts with ``name``, where the question or an option is not a text or is empty.
    """
    if isinstance(question, Question):
        if options:
            raise UserError(f"{name}options belong to a question given as a text; a Question has its own")
        if not question.text.strip():
            raise UserError(f"{name}the question is empty")
        return question
    if not isinstance(question, str):
        raise UserError(f"{name}a question is a text or a Question, and not {type(question).__name__}")
    if not question.strip():
        raise UserError(f"{name}the question is empty")
    if isinstance(options, str) or not all(isinstance(option, str) and option.strip() for option in options):
        raise UserError(f'{name}options {options!r}: give a list of texts, options=["Seoul", "Tokyo"]')
    if len(options) == 1 or len(options) > MOST_OPTIONS:
        raise UserError(f"{name}options: {len(options)} of them; give 2 to {MOST_OPTIONS} (A to Z), or none")
    return Question("asked", one_line(question), "", tuple(one_line(option) for option in options))


def check_checkpoint(path: Path) -> None:
    """Raise UserError where ``path`` is not a checkpoint; the advice in it depends on what is there instead."""
    if is_checkpoint(path):
        return
    if not path.is_dir():
        beside = (
            [folder.name for folder in path.parent.iterdir() if is_checkpoint(folder)] if path.parent.is_dir() else []
        )
        hint = did_you_mean(path.name, beside) or (
            "; train one first (`memreason train --config demo` makes runs/demo), or say where yours is. "
            "This needs a checkpoint of memreason; `memreason evaluate` also takes base models"
        )
        raise UserError(f"checkpoint {path}: no such folder{hint}")
    if checkpoints := [folder.name for folder in path.glob("checkpoint-*") if is_checkpoint(folder)]:
        raise UserError(
            f"{path}: no memreason.json in it, so its run is not finished; go on with it by the same `memreason train` "
            f"and --resume, or take {path / max(checkpoints, key=lambda name: (len(name), name))}"
        )
    if (path / "config.json").is_file() and not (path / "adapter_config.json").is_file():
        raise UserError(
            f"{path}: no memreason.json in it: it is a base model, and this needs a checkpoint of memreason; "
            f"train it first (memreason train --model_name_or_path {path} …), or ask it a dataset's questions with "
            "`memreason evaluate`"
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """Hide the progress bar for reading weights (it takes only a moment), and a warning of transformers about PEFT."""
    bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
            yield
    finally:
        if bar:
            transformers_logging.enable_progress_bar()
