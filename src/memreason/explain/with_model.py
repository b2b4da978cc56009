"""What an explanation needs the model for: its answers once more, interventions, repairs, importance, attention.

Each part is kept in a file of its own (`Store`), and the model is loaded only where a part is not there yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memreason.errors import UserError
from memreason.explain.config import INTERVENTIONS, ExplainConfig
from memreason.explain.recorded import Recorded
from memreason.explain.store import Store, digest_of, digest_of_data, digest_of_run
from memreason.records import Solution, Trace, Verdict
from memreason.tasks.base import TaskData
from memreason.tasks.load import draw

if TYPE_CHECKING:
    from memreason.explain.baseline import Case
    from memreason.explain.continuations import Continuations
    from memreason.explain.judged import Judged
    from memreason.generation.engine import Engine

ByTrace = dict[str, Any]
"""Id of a question → what belongs to its trace."""


@dataclass
class Computed:
    """What the model gave. ``figures`` are parts of the explanation by their keys, ``by_trace`` fields of its traces by
    theirs. ``logprobs`` has the log-probabilities of the steps, for each recorded trace that was repeated exactly.
    ``notes`` say what could not be computed."""

    figures: dict[str, Any] = field(default_factory=dict)
    by_trace: dict[str, ByTrace] = field(default_factory=dict)
    logprobs: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    regenerated: int | None = None
    repeated: int | None = None
    notes: list[str] = field(default_factory=list)


def compute(
    run: Recorded, task: TaskData, found: Judged, config: ExplainConfig, folder: Path, progress: bool
) -> Computed:
    """Compute the parts that ``config`` asks for. ``found`` has the verdicts on the recorded traces.

    An answer that the model does not repeat is judged by the task's own judge, or, where another judge read the
    recorded ones, not at all: causes by two judges are not counted together. Raises UserError where the
    model cannot be loaded. A part that this model does not allow is noted, and left out.
    """
    solutions = chosen(run, task, config)
    if not solutions:
        return Computed(
            notes=["the questions of the traces are not among those of the dataset, so none is asked again"]
        )
    store = Store(
        folder,
        {
            "run": digest_of_run(run.folder),
            "data": digest_of_data(task),
            "dtype": config.dtype,
            "batch_size": config.batch_size,
            "questions": digest_of([solution.question.id for solution in solutions]),
        },
    )
    task = task if found.exact else replace(task, judge=None)
    with _Model(run, task, config) as model:
        computed = _Parts(run, task, found.verdicts, config, store, model, progress).compute(solutions)
    store.remove_outdated()
    return computed


def chosen(run: Recorded, task: TaskData, config: ExplainConfig) -> list[Solution]:
    """The labelled solutions of the recorded questions, at most ``num_test`` of each split; those whose question is
    another one now are left out."""
    labelled = {s.question.id: s for name in task.test_splits for s in task.splits[name]}
    by_split: dict[str, list[Solution]] = {}
    for verdict in run.traces:
        question = verdict.trace.question
        solution = labelled.get(question.id)
        if solution and (solution.question.text, solution.question.options) == (question.text, question.options):
            by_split.setdefault(question.split, []).append(solution)
    return [s for some in by_split.values() for s in draw(some, config.num_test, config.seed)]


class _Model(ExitStack):
    """The run's model, loaded when it is asked for first, and then prepared until the end."""

    def __init__(self, run: Recorded, task: TaskData, config: ExplainConfig):
        super().__init__()
        self._run, self._task, self._config = run, task, config
        self._engine: Engine | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether anything has asked for it."""
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        """An engine that answers as the run's evaluation did."""
        if self._engine is None:
            self._engine = self.enter_context(self._load())
        return self._engine

    def _load(self) -> Engine:
        from memreason.explain.baseline import SHARED
        from memreason.generation.engine import Engine
        from memreason.generation.few_shot import demonstrations_of
        from memreason.generation.options import GenerationOptions
        from memreason.models.load import load
        from memreason.runtime.allocator import keep_freed_memory
        from memreason.runtime.devices import choose_device

        keep_freed_memory()
        run, config = self._run, self._config
        base, device = config.base_model_name_or_path, choose_device(config.device)
        try:
            unit = load(run.folder, base, config.dtype, device=device)
        except UserError as error:
            raise UserError(f"{error}; --no_model explains the run without its model") from error
        demonstrations = demonstrations_of(run.config.ablations, run.config.data, self._task)
        options = GenerationOptions(
            config.batch_size,
            demonstrations=demonstrations,
            use_calculator=run.config.data.use_calculator,
            least_shared=SHARED,
        )
        return Engine(unit, options, self._task.answer_kind)


class _Parts:
    """Computes the parts one after another."""

    def __init__(
        self,
        run: Recorded,
        task: TaskData,
        verdicts: Sequence[Verdict],
        config: ExplainConfig,
        store: Store,
        model: _Model,
        progress: bool,
    ):
        self._run, self._task, self._config, self._store, self._model = run, task, config, store, model
        self._verdicts = {verdict.trace.question.id: verdict for verdict in verdicts}
        self._progress = progress
        self._found = Computed()
        self._same: set[str] = set()

    def compute(self, solutions: Sequence[Solution]) -> Computed:
        """All parts."""
        found, asked = self._found, set(self._config.parts)
        baseline = self._answers(solutions)
        if "interventions" in asked:
            with self._noting("interventions"):
                names = [name for name in INTERVENTIONS if name in self._config.interventions]
                rows = self._store.keep("interventions", {"names": names}, lambda: self._interventions(baseline, names))
                found.figures["interventions"] = rows["effects"]
                self._by_trace("edits", rows["edits"])
        if "attribution" in asked:
            with self._noting("the causal attribution"):
                causes = digest_of([case.verdict.cause for case in baseline])
                found.figures["attribution"] = self._store.keep(
                    "attribution", {"causes": causes}, lambda: self._attribution(baseline)
                )
        if "importance" in asked and self._config.num_importance:
            with self._noting("the importance of steps"):
                options = {
                    "samples": self._config.samples,
                    "traces": self._config.num_importance,
                    "seed": self._config.seed,
                }
                rows = self._store.keep("importance", options, lambda: self._importance(baseline))
                self._by_trace("importance", rows.pop("traces"))
                found.figures["importance"] = rows
        if self._config.attention:
            with self._noting("attention"):
                options = {"traces": self._config.attention, "seed": self._config.seed}
                rows = self._store.keep("attention", options, lambda: self._attention(baseline))
                self._by_trace("attention", rows["traces"])
                found.figures["attention"] = rows["summary"]
        return found

    def _answers(self, solutions: Sequence[Solution]) -> Sequence[Case]:
        """The model's answers once more."""
        from memreason.explain.baseline import Case

        rows = self._store.keep("answers", {}, lambda: self._answer(solutions))["answers"]
        cases: list[Case] = []
        found = self._found
        for solution, row in zip(solutions, rows, strict=True):
            trace = self._trace(solution, row)
            recorded = self._verdicts[solution.question.id]
            if trace.text == recorded.trace.text:
                self._same.add(solution.question.id)
                found.logprobs[solution.question.id] = tuple(row["logprobs"])
                cases.append(Case(solution, replace(recorded, trace=trace)))
            else:
                cases.append(Case(solution, self._judge(trace)))
        found.regenerated, found.repeated = len(cases), len(self._same)
        if found.repeated < found.regenerated:
            found.notes.append(
                f"in {self._config.dtype} the model repeats {found.repeated} of {found.regenerated} recorded answers; "
                "what if, repairs, importance and attention are of the answers that it gives now"
            )
        return cases

    def _answer(self, solutions: Sequence[Solution]) -> dict[str, Any]:
        from memreason.explain.baseline import answer_again

        baseline = answer_again(self._model.engine, self._task, solutions, progress=self._progress)
        return {
            "answers": [
                {
                    "text": case.trace.text,
                    "truncated": case.trace.truncated,
                    "ids": case.trace.ids,
                    "logprobs": case.trace.step_logprobs,
                }
                for case in baseline
            ]
        }

    def _trace(self, solution: Solution, row: Mapping[str, Any]) -> Trace:
        layout = self._run.manifest.planning_tokens
        trace = layout.parse(solution.question, row["text"], row["truncated"])
        ids, logprobs = (None if row[name] is None else tuple(row[name]) for name in ("ids", "logprobs"))
        return replace(trace, ids=ids, step_logprobs=logprobs)

    def _judge(self, trace: Trace) -> Verdict:
        from memreason.evaluation.judge import judge_trace

        return judge_trace(trace, self._task.answer_kind, self._task.judge)

    @cached_property
    def _continued(self) -> Continuations:
        """What was continued already: a repair can be an intervention."""
        from memreason.explain.continuations import Continuations

        return Continuations(self._model.engine)

    def _interventions(self, baseline: Sequence[Case], names: Sequence[str]) -> dict[str, Any]:
        from memreason.explain.interventions import intervene

        found = intervene(
            self._model.engine,
            self._task,
            baseline,
            names,
            continuations=self._continued,
            progress=self._progress,
        )
        return {"effects": found.to_json(), "edits": found.edits_to_json()}

    def _attribution(self, baseline: Sequence[Case]) -> dict[str, Any]:
        from memreason.explain.causal import attribute

        return attribute(self._model.engine, self._task, baseline, self._continued, self._progress).to_json()

    def _importance(self, baseline: Sequence[Case]) -> dict[str, Any]:
        from memreason.explain.importance import Resampling, importance

        config = self._config
        resampling = Resampling(config.samples, traces=config.num_importance, seed=config.seed)
        return importance(self._model.engine, self._task, baseline, resampling, self._progress).to_json()

    def _attention(self, baseline: Sequence[Case]) -> dict[str, Any]:
        from memreason.explain.attention.base import summary
        from memreason.explain.attention.methods import attribute

        written = [case for case in baseline if case.trace.steps]
        some = draw(written, self._config.attention, self._config.seed)
        engine = self._model.engine
        self._model.close()  # the engine has prepared the model for itself
        found = attribute(engine.unit, [case.trace for case in some], examples=engine.options.demonstrations)
        rows = {case.id: one.to_json() for case, one in zip(some, found, strict=True)}
        return {"summary": summary(found), "traces": rows}

    def _by_trace(self, name: str, rows: Mapping[str, Any]) -> None:
        """Keep what belongs to traces, where the recorded trace is the one that it is about."""
        self._found.by_trace[name] = {id: row for id, row in rows.items() if id in self._same}

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Note an error of a part, and go on without it; but not where the model cannot be loaded."""
        try:
            yield
        except UserError as error:
            if not self._model.is_loaded:
                raise
            self._found.notes.append(f"{what}: not computed, {error}")
