"""`memreason explain`: everything about a run in one file of figures, and one page that shows them."""

from __future__ import annotations

import importlib.metadata
import logging
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from memreason.errors import UserError
from memreason.evaluation.files import EXPLANATION, FIGURES, PARTS, REPORT, check_folder
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult
from memreason.explain import counts
from memreason.explain.computed import COMPUTED
from memreason.explain.confidence import confidence, memories_of
from memreason.explain.config import ExplainConfig
from memreason.explain.explanation import FORMAT, Explanation
from memreason.explain.facts import facts
from memreason.explain.judged import Judged, difference_from_metrics, judged
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.recorded import Recorded, read_recorded
from memreason.explain.report import render
from memreason.explain.sentences import sentences
from memreason.explain.trace_rows import trace_rows
from memreason.explain.with_model import Computed, compute
from memreason.export.run_record import base_name, without_folders
from memreason.planning_tokens.parse import leading_marks
from memreason.records import Verdict
from memreason.runtime.files import atomic_write, write_json
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data

OF_TRACES = ("edits", "importance", "attention")
"""What the model gives for single traces."""
ByTrace = dict[str, int]
"""Id of a question → a number of its trace."""
logger = logging.getLogger(__name__)


class Explained(NamedTuple):
    """What `explain` returns: the explanation (as in explanation.json), and the folder that it was written to."""

    explanation: Explanation
    folder: Path


def explain(config: ExplainConfig, judge: JudgeConfig | None = None, progress: bool = True) -> Explained:
    """Run `memreason explain`, and write its two files. ``judge`` says who judges the steps; by default the dataset's
    own judge does. Parts that this model cannot give are left out, and noted.

    Raises UserError where the run is none, is not finished or damaged, where the files cannot be written, where the
    model is asked for and cannot be loaded, and as the judge does.
    """
    run = read_recorded(Path(config.run).expanduser())
    folder = Path(config.output_dir).expanduser() if config.output_dir else run.folder / EXPLANATION
    check_folder(folder)
    task, notes = _task_of(run)
    found = judged(run.traces, task, judge or JudgeConfig())
    notes += difference_from_metrics(run, found.verdicts)
    computed = Computed()
    if task and not config.no_model:
        computed = compute(run, task, found, config, folder / PARTS, progress)
    explanation = _figures(run, found, computed, task)
    explanation["notes"] = [*run.notes, *notes, *computed.notes]
    explanation["sentences"] = sentences(explanation)
    page = render(dict(explanation))  # before anything is written: both files are of the same figures
    write_json(folder / FIGURES, explanation)
    with atomic_write(folder / REPORT) as file:
        file.write(page)
    return Explained(explanation, folder)


def _task_of(run: Recorded) -> tuple[TaskData | None, list[str]]:
    """The run's dataset, and what to say where it cannot be loaded any more."""
    try:
        return load_data(run.config.data), []
    except UserError as error:
        logger.warning(f"the dataset cannot be loaded: {error}")  # with its place, which is nobody else's business
        return None, ["the dataset cannot be loaded, so its solutions and its judge are not used"]


def _figures(run: Recorded, found: Judged, computed: Computed, task: TaskData | None) -> Explanation:
    """All figures; the sentences are made from them."""
    verdicts = [_with_logprobs(verdict, computed) for verdict in found.verdicts]
    splits = counts.by_split(verdicts)
    is_judged = counts.is_judged(verdicts)
    tokens, marks = _tokens(run)

    def by_split(count: Any) -> dict[str, Any] | None:
        return {split: count(some) for split, some in splits.items()} if is_judged else None

    return {
        "format": FORMAT,
        "run": _run(run, computed),
        "accuracy": counts.accuracy(run.before_metrics, run.after_metrics, verdicts, run.before),
        "metrics": {"before": _metrics(run.before_metrics), "after": _metrics(run.after_metrics)},
        "sentences": [],
        "epochs": counts.epochs(run.epochs),
        "errors": by_split(counts.causes),
        "right": by_split(counts.grounds),
        "types_fit": by_split(lambda some: compute_metrics(some).types_fit),
        "families": counts.families(verdicts),
        "facts": facts(verdicts, task.stated_facts if task and found.exact else None) if is_judged else None,
        "confidence": confidence(memories_of(verdicts)),
        "positions": counts.positions(verdicts),
        "lengths": counts.lengths(verdicts, tokens, marks),
        "interventions": computed.figures.get("interventions"),
        "attribution": computed.figures.get("attribution"),
        "importance": computed.figures.get("importance"),
        "attention": computed.figures.get("attention"),
        "judges": found.judges,
        "traces": trace_rows(
            verdicts,
            run.before,
            {"tokens": tokens, "planning_tokens": marks}
            | {name: computed.by_trace.get(name, {}) for name in OF_TRACES},
        ),
        "config": without_folders(run.config.options()),
        "computed": COMPUTED,
        "notes": [],
    }


def _run(run: Recorded, computed: Computed) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "name": run.folder.resolve().name,
        "dataset": run.dataset,
        "base_model": base_name(manifest),
        "mode": manifest.parameter_efficient_mode,
        "placement": manifest.planning_tokens.placement,
        "dtype": run.after_metrics.dtype or manifest.dtype,
        "recorded_repeated": computed.repeated,
        "regenerated": computed.regenerated,
        "memreason": importlib.metadata.version("memreason"),
    }


def _with_logprobs(verdict: Verdict, computed: Computed) -> Verdict:
    """The verdict, whose trace has the log-probabilities that were recorded, or else those computed."""
    logprobs = computed.logprobs.get(verdict.trace.question.id)
    if logprobs is None or verdict.trace.step_logprobs is not None:
        return verdict
    return replace(verdict, trace=replace(verdict.trace, step_logprobs=logprobs))


def _metrics(result: EvaluationResult | None) -> dict[str, Any] | None:
    """The rows of metrics.json: of all splits together, and of each."""
    if result is None:
        return None
    return {
        "overall": result.overall.to_json(),
        "splits": {split: metrics.to_json() for split, metrics in result.splits.items()},
    }


def _tokens(run: Recorded) -> tuple[ByTrace, ByTrace]:
    """The number of tokens of each generated text, and how many of these only mark lines: planning tokens, or words in
    brackets."""
    from memreason.models.weights import load_tokenizer

    tokenizer, marks = load_tokenizer(str(run.folder)), run.manifest.planning_tokens.marks
    texts = {verdict.trace.question.id: verdict.trace.text for verdict in run.traces}

    @cache
    def length(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    return {id: length(text) for id, text in texts.items()}, {
        id: sum(length(leading_marks(line, marks)) for line in text.split("\n")) for id, text in texts.items()
    }
