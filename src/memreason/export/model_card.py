"""The model card of a published checkpoint, written from its run. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from memreason.config.checks import PREFIX_TUNING
from memreason.evaluation.results import EvaluationResult, Metrics
from memreason.export.readme import listed
from memreason.export.run_record import RunRecord, base_name
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY
from memreason.planning_tokens.names import ANSWER
from memreason.planning_tokens.prompt import message_text
from memreason.records import MEMORY, REASON, Verdict

_CARD = """# {title}

{about}

## Use it with memreason

memreason is installed from its source: `pip install PATH_OF_THE_CHECKOUT`.

```python
from huggingface_hub import snapshot_download
from memreason import load

trace = load(snapshot_download({name!r})).answer({question})
print(*trace.steps, trace.answer, sep="\\n")
```

## Use it without memreason

{usage}
## What it writes

{traces}
## Method

{method}
## Data

{data}
## Results

{results}
## Limits

{limits}{rest}"""
_ABOUT = """{base}, trained to answer a question in steps{steps}. {what}

It was made with memreason, which implements *Disentangling Memory and Reasoning Ability in Large Language Models*
(Jin et al., ACL 2025, [arXiv 2411.13504](https://arxiv.org/abs/2411.13504))."""
_WHAT = {
    "whole": "This repository holds a whole model, all of whose weights were trained.",
    "merged": "This repository holds a whole model, with what was trained merged into its weights.",
    "adapter": "This repository holds what was trained (an adapter, as PEFT loads it); it needs the base model.",
}
_PLACES = {
    EACH_STEP: "Every line begins with its planning tokens.",
    FRONT: "The general planning tokens stand once, at the start of the first line.",
    PLAN_FIRST: "The planning tokens of all lines stand on a first line of their own.",
    PLAN_ONLY: "The planning tokens of all steps stand on a first line, and only the answer line follows.",
}
_HYPERPARAMETERS = (
    "learning_rate", "lr_scheduler_type", "warmup_steps", "warmup_ratio", "weight_decay", "num_train_epochs",
    "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "mode", "seed", "lora_module", "lora_r",
    "lora_alpha", "lora_dropout", "num_virtual_tokens", "dtype", "int8_training", "int4_training", "model_max_length",
    "add_hard_prompts", "use_demonstrations", "random_initialize", "use_calculator", "split_seed",
    "num_train", "num_validation", "num_test", "num_countries",
)  # fmt: skip
"""Options that a card lists, where the frozen config has them: numbers and choices, and never a path."""


def card_data(name: str, what: str, run: RunRecord, licence: Mapping[str, Any]) -> ModelCardData:
    """The front matter of the card of ``run``, published as ``name``; ``licence`` is the base model's.

    It says only what is known: without a name of the base model on the hub, for example, there is no `base_model`.
    """
    task = run.task
    return ModelCardData(
        base_model=run.manifest.hub_id or None,
        datasets=[task.hub_id] if task and run.from_hub else None,
        language="en" if task and run.dataset != "jsonl" else None,
        library_name="transformers" if what == "merged" else "peft",
        pipeline_tag="text-generation",
        tags=["memreason", "planning-tokens"],
        model_name=name.split("/")[-1],
        eval_results=[*_model_index(run)] or None,
        **licence,
    )


def _model_index(run: RunRecord) -> Iterator[EvalResult]:
    for split, metrics in run.after.splits.items() if run.after else ():
        low, high = metrics.interval
        values = {
            "accuracy": ("Accuracy", metrics.accuracy, f"n = {metrics.n}, 95% interval {low:.3f} to {high:.3f}"),
            "memory_true": ("Memory steps that are true", metrics.memory_true, f"n = {_judged(metrics, MEMORY)}"),
            "reason_valid": ("Reason steps that follow", metrics.reason_valid, f"n = {_judged(metrics, REASON)}"),
        }
        for kind, (title, value, of) in values.items():
            if value is not None:
                yield EvalResult(
                    task_type="text-generation",
                    dataset_type=run.task.hub_id if run.task and run.from_hub else run.dataset or "unknown",
                    dataset_name=run.dataset or "not recorded",
                    dataset_split=split,
                    metric_type=kind,
                    metric_value=round(value, 4),
                    metric_name=f"{title} ({of})",
                )


def card_text(name: str, what: str, run: RunRecord, licence: Mapping[str, str], sections: Mapping[str, str]) -> str:
    """The text of the card below its front matter.

    ``sections`` (title → text) are those of the README that the exporter wrote: `Use it`, and what else there is.
    """
    types = run.manifest.planning_tokens.step_types
    known = {MEMORY: "*memory* (a fact is recalled)", REASON: "*reason* (something is concluded)"}
    example = run.right.trace.question if run.right else None
    asked = repr(example.text) if example else '"Is Rome the capital of Italy?"'
    return _CARD.format(
        title=name.split("/")[-1],
        about=_ABOUT.format(
            base=f"`{base_name(run.manifest)}`",
            steps=f" that say what they are: {' or '.join(known.get(type_, f'*{type_}*') for type_ in types)}"
            if types
            else ", one a line",
            what=_WHAT["whole" if run.manifest.parameter_efficient_mode == "none" else what],
        ),
        name=name,
        question=f"{asked}, {list(example.options)!r}" if example and example.options else asked,
        usage=sections["Use it"].strip() + "\n",
        traces=_traces(run),
        method=_method(run),
        data=_data(run, licence),
        results=_results(run),
        limits=_limits(run, what),
        rest="".join(f"\n## {title}\n\n{text}" for title, text in sections.items() if title != "Use it"),
    )


def _traces(run: RunRecord) -> str:
    shown = []
    if run.right:
        shown.append(f"A right answer:\n\n{_trace(run.right)}")
    if run.wrong:
        cause = f"; why: {run.wrong.cause.replace('_', ' ')}" if run.wrong.cause else ""
        shown.append(f"A wrong one (right is {run.wrong.trace.question.answer}{cause}):\n\n{_trace(run.wrong)}")
    return "\n".join(shown) or "No evaluation of this checkpoint is recorded, so there is no trace to show.\n"


def _trace(verdict: Verdict) -> str:
    trace = verdict.trace
    text = f"{message_text(trace.question)}\n\n{trace.text.strip()}"
    fence = "`" * 3
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}\n"


def _method(run: RunRecord) -> str:
    layout, mode = run.manifest.planning_tokens, run.manifest.parameter_efficient_mode
    marks = {"every line": layout.prefix} | {
        f"{type_} lines": layout.special(type_) for type_ in (*layout.step_types, ANSWER)
    }
    tokens = [(f"`{''.join(names)}`", where) for where, names in marks.items() if names]
    words = "words" if layout.words else "planning tokens, which are new in the vocabulary,"
    lines = [f"The text of training has {words} that mark its lines. {_PLACES[layout.placement]}\n"] if tokens else []
    lines += [_table(("mark", "on"), tokens)] if tokens else []
    lines.append(
        f"Prompts are written in the layout `{layout.prompt_template}`. What was trained: `{mode}` "
        "(`--parameter_efficient_mode`).\n"
    )
    rows = [
        (name, f"`{value}`")
        for name in _HYPERPARAMETERS
        if (value := run.options.get(name)) is not None and value is not False and _matters(name, mode)
    ]
    lines += [_table(("option", "value"), rows)] if rows else []
    return "\n".join(lines)


def _matters(name: str, mode: str) -> bool:
    """Whether an option has an effect in this mode of training."""
    if name == "num_virtual_tokens":
        return mode == PREFIX_TUNING
    return "lora" in mode if name.startswith("lora") else True


def _data(run: RunRecord, licence: Mapping[str, str]) -> str:
    lines = []
    if run.dataset == "jsonl":
        lines.append("The author's own questions. Their licence is not recorded here; ask the author.")
    elif run.task:
        place = f" ([{run.task.hub_id}](https://huggingface.co/datasets/{run.task.hub_id}))" if run.task.hub_id else ""
        lines.append(f"`{run.dataset}`{place}: {run.task.description}.")
        lines.append(f"Its licence: {run.task.licence or 'see its page'}.")
        if run.options.get("data_path"):
            lines.append("It was read from the author's files, which may hold more, such as labelled steps.")
    if run.training:
        account = run.training
        left = len(account.too_long) + len(account.without_steps)
        lines.append(
            f"Trained on {account.examples} solutions, {account.tokens} tokens an epoch"
            + (f"; {left} more were left out, because they are too long or have no steps." if left else ".")
        )
    manifest = run.manifest
    revision = f", revision `{manifest.hub_revision}`" if manifest.hub_revision else ""
    if not revision and manifest.base_revision:
        revision = f", with its weights as in `{manifest.base_revision}`"
    lines.append(f"The base model is `{base_name(manifest)}`{revision}.")
    stated = licence.get("license_name") or licence.get("license")
    lines.append(f"Its licence: {stated}." if stated else "Its licence is not recorded here; see its page.")
    return listed(lines)


def _results(run: RunRecord) -> str:
    if not run.after:
        return "No evaluation of this checkpoint is recorded.\n"
    evaluations = {"before": run.before, "after": run.after}
    rows = [
        (split, when, *_figures(metrics))
        for split in run.after.splits
        for when, result in evaluations.items()
        if result and (metrics := result.splits.get(split))
    ]
    columns = ("questions", "training", "n", "accuracy [95% interval]", "well formed", "memories true",
               "reasons valid")  # fmt: skip
    shots = run.options.get("k_shot") or "some"
    text = []
    if run.before:
        text.append(f"*Before* is the base model, with {shots} solved examples in its prompt.")
    text.append(
        "The answer line alone is read for the accuracy; an answer that is missing counts as wrong. Decoding is greedy."
    )
    if causes := _causes(run.after):
        text.append(f"Why wrong answers are wrong: {causes}.")
    if run.validation:
        text.append(
            f"The weights are those after epoch {run.validation.epoch:g}; their accuracy on the validation questions: "
            f"{_accuracy(run.validation.metrics)} (n = {run.validation.metrics.n})."
        )
    if run.options:
        data = ", with the same data," if run.options.get("data_path") else ""
        text.append(f"`memreason evaluate FOLDER`{data} measures the model in this repository's folder again.")
    return f"{_table(columns, rows)}\n{listed(text)}"


def _figures(metrics: Metrics) -> tuple[str, ...]:
    return (
        str(metrics.n),
        _accuracy(metrics),
        f"{100 * metrics.well_formed:.0f}%",
        _share(metrics.memory_true, _judged(metrics, MEMORY)),
        _share(metrics.reason_valid, _judged(metrics, REASON)),
    )


def _judged(metrics: Metrics, kind: str) -> int:
    return (metrics.kinds or metrics.steps).get(kind, 0)


def _accuracy(metrics: Metrics) -> str:
    low, high = metrics.interval
    return f"{100 * metrics.accuracy:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"


def _share(rate: float | None, n: int) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}% of {n}"


def _causes(result: EvaluationResult) -> str:
    causes = result.overall.errors_by_cause or {}
    return ", ".join(
        f"{cause.replace('_', ' ')} {count}" for cause, count in sorted(causes.items(), key=lambda c: -c[1])
    )


def _limits(run: RunRecord, what: str) -> str:
    limits = ["A step can be false, whatever its mark says, and the answer need not follow from the steps."]
    if run.after:
        limits += [
            "The figures are for questions of this dataset, asked as in training; nothing else was measured.",
            "The intervals say what another draw of questions could change. They count each question as independent, "
            "though several can be about the same thing, and they do not say what another seed of training would "
            "change: this is one run.",
            "No controls were run, such as the same training without planning tokens, so that the figures do not show "
            "which part of the method helps.",
            "Memories count as true, and reasons as valid, by rules over the tables that the questions were written "
            "from; a step that no rule can read does not count."
            if run.after.overall.judged
            else "Whether the steps are true was not measured, only whether the answer is right.",
        ]
    manifest = run.manifest
    if what == "adapter" and manifest.hub_id and not manifest.hub_revision:
        limits.append(
            f"The figures are for the base model's weights as in `{manifest.base_revision}`. Without memreason, "
            f"those of `{manifest.hub_id}` are loaded, for which nothing was measured."
        )
    return listed(limits)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)
