"""Writes docs/formats.md anew, from the types whose contents memreason writes: python docs/formats.py

What a field means stands below it in the source, as a string; so the page and the code cannot disagree.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from memreason.compare import result as comparison
from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import CONFIG
from memreason.evaluation import results, training_account
from memreason.evaluation.files import FIGURES, METRICS, PARTS, REPORT, TRACES, TRACES_TO_READ
from memreason.evaluation.judged_by import Agreement, OfKind
from memreason.evaluation.score import UNMATCHED, Unmatched
from memreason.explain.explanation import Explanation
from memreason.export.base import MARKER
from memreason.label.resume import settings_path
from memreason.label.solutions_and_rejects import rejects_path
from memreason.llm.cache import TABLES
from memreason.models.manifest import MANIFEST, Manifest
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import TraceRow
from memreason.step_types.store import RECORD, STEPS, TENSORS
from memreason.training.run_folder import TRACKER_RUNS

PAGE = Path(__file__).with_name("formats.md")
_JSON = {"None": "null", "bool": "true or false", "int": "integer", "float": "number", "str": "text", "Any": "anything"}


class SolutionRow(TypedDict):
    """A line of labelled solutions."""

    id: str
    """The question's id."""
    question: str
    """Its text."""
    answer: str
    """The right answer: a text, a letter, True or False."""
    options: NotRequired[list[str]]
    """Texts of the options; left out where there are none."""
    split: NotRequired[str]
    """train, validation or test; left out where the dataset has no splits."""
    steps: list[dict[str, str]]
    """In order, each with its `type` (memory or reason), its `text`, and as `query` what a memory step answers."""


class RejectionRow(TypedDict):
    """A line of rejected questions."""

    id: str
    """The question's id."""
    question: str
    """Its text."""
    answer: str
    """The right answer."""
    options: NotRequired[list[str]]
    """As above."""
    split: NotRequired[str]
    """As above."""
    reason: str
    """Name of the reason."""
    detail: str
    """What was wrong, in words."""
    replies: list[dict[str, Any]]
    """Every reply in full, in order."""


class StepTypesRecord(TypedDict):
    """What was fitted to what."""

    format: int
    """The form of this file."""
    method: str
    """As `--selection_method` says it."""
    names: list[str]
    """The types, in the order of their numbers."""
    dataset: str
    """The dataset whose steps it was fitted to."""
    seed: int
    """The seed of the fit."""
    source: dict[str, Any] | None
    """The model whose embeddings were used, and of which layer; null where no model reads the steps."""
    fingerprint: str
    """A digest of all that decides a step's type."""
    words: dict[str, list[str]]
    """Type → the words that tell its steps from the others."""
    settings: dict[str, Any]
    """What the method needs beside its tensors."""


class StepRow(TypedDict):
    """A step that the types were fitted to."""

    id: str
    """The id of the step's question."""
    type: str
    """Its type."""
    distance: float
    """Distance to its type's centre, in the space that the method clusters."""
    text: str
    """Its text."""


def fields_of(kind: type) -> dict[str, tuple[str, str]]:
    """Field → (type as JSON has it, what it means) of a class. Raises ValueError for a field without a meaning."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    documented: dict[str, tuple[str, str]] = {}
    for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            meaning = below.value if isinstance(below, ast.Expr) else None
            if not (isinstance(meaning, ast.Constant) and isinstance(meaning.value, str)):
                raise ValueError(f"{kind.__name__}.{node.target.id}: write below it what it means")
            documented[node.target.id] = (in_json(node.annotation), " ".join(meaning.value.split()))
    for base in filter(dataclasses.is_dataclass, kind.__bases__):
        documented |= fields_of(base)
    return documented


def in_json(hint: ast.expr) -> str:
    """A type in words."""
    if isinstance(hint, ast.BinOp):
        return f"{in_json(hint.left)} or {in_json(hint.right)}"
    if isinstance(hint, ast.Subscript):
        inner = hint.slice.elts if isinstance(hint.slice, ast.Tuple) else [hint.slice]
        name = ast.unparse(hint.value)
        if name == "NotRequired":
            return f"{in_json(inner[0])}; may be missing"
        if name == "Literal":
            return ", ".join(ast.unparse(value) for value in inner)
        return f"object of {in_json(inner[1])}" if name == "dict" else f"list of {in_json(inner[0])}"
    name = ast.unparse(hint)
    return _JSON.get(name, name)


def table(kind: type) -> str:
    """The fields of a class as a table."""
    rows = [f"| `{name}` | {of} | {meaning} |" for name, (of, meaning) in fields_of(kind).items()]
    return "\n".join(["| field | type | |", "|---|---|---|", *rows])


def options_table(*kinds: type) -> str:
    """Options of a configuration with their help."""
    rows = [
        f"| `{field.name}` | {field.metadata.get('help', '')} |".replace("\n", " ")
        for kind in kinds
        for field in dataclasses.fields(kind)
    ]
    return "\n".join(["| option | |", "|---|---|", *rows])


def results_section() -> str:
    """The three kinds of metrics.json, and what they are made of."""
    parts = []
    for title, kind in (
        ("Metrics", results.Metrics),
        (f"`{METRICS}` of an evaluation", results.EvaluationResult),
        (f"`{METRICS}` of a run", results.RunResult),
        ("`validation` of a run", results.ValidationResult),
        ("`training` of a run", training_account.TrainingAccount),
        (f"`{METRICS}` of `memreason score`", results.ScoreResult),
        ("`marked` of `memreason score`", results.Marks),
        ("`agreement` of `memreason score`", Agreement),
        ("`kinds` of an `agreement`", OfKind),
    ):
        about = inspect.cleandoc(kind.__doc__ or "")
        form = kind.to_json.__doc__ if hasattr(kind, "to_json") else None
        shape = (
            f"\n\nForm: `{' '.join(form.split()).rstrip('.').replace('None', 'null')}`"
            if form and form.startswith("{")
            else ""
        )
        parts.append(f"### {title}\n\n{about}{shape}\n\n{table(kind)}")
    return "\n\n".join(parts)


def evaluations() -> str:
    """Evaluations and runs."""
    return f"""## Evaluations and runs

`{METRICS}` has `format` {results.FORMAT}. Older files are still read. In those of format 2, `errors_by_cause` counted
first faults, steps were judged and counted by their type, and `grounds`, `kinds` and `types_fit` were missing. The same
holds of format 1, whose files are told apart by having no `format`. There the overall metrics of an evaluation stood
at the top of the file, the `splits` of `memreason score` were counts, and `memory_true`, `reason_valid` and
`errors_by_cause` over all splits stood among the splits of a run's `after`.

{results_section()}

### `{TRACES}`

One question and what the model wrote, a line. `memreason score` reads it too.

{table(TraceRow)}

### `{TRACES_TO_READ}`

The same for reading: question, generated solution and gold solution, with a rule below each question.

### `{UNMATCHED}`

{table(Unmatched)}
"""


def checkpoints() -> str:
    """Checkpoints and their config."""
    return f"""## Checkpoints

The weights are safetensors in PEFT's and transformers' own form (`adapter_model.safetensors` with
`adapter_config.json`; in mode `none` `model.safetensors` with `config.json`), and the tokenizer is saved beside them.
Optimizer and generator states (`optimizer.pt`, `scheduler.pt`, `rng_state*.pth`) and the empty file `complete` are
there only until the run is finished. `trainer_state.json` is that of Hugging Face's Trainer: `global_step`, `epoch`,
`best_metric`, `best_model_checkpoint`, and in `log_history` the loss, and at the end of each epoch `eval_acc` and
`eval_well_formed`, both in [0, 1].

### `{MANIFEST}`

{inspect.cleandoc(Manifest.__doc__ or "")}

{table(Manifest)}

Its `planning_tokens` are {", ".join(f"`{field.name}`" for field in dataclasses.fields(PlanningTokens))}.

### `{CONFIG}`

Every option that the run was begun with, as a recipe: `memreason train --config {CONFIG}` trains the same. Besides the
options below, those of Hugging Face's TrainingArguments that are not at their default.

{options_table(ModelConfig, AblationConfig, DataConfig)}
"""


def labelling() -> str:
    """The files of `memreason label`."""
    labelled = Path("OUTPUT.jsonl")
    return f"""## Labelling

`memreason label --output {labelled}` appends to two files in the order of the questions, and keeps its settings in
`{settings_path(labelled)}`: what a later sitting must share with the first, and in `measured_dtypes` the data types of
local models.

### `{labelled}`

A solution a line, as `--dataset jsonl` reads it.

{table(SolutionRow)}

### `{rejects_path(labelled)}`

A rejected question a line. `memreason label --input` reads it, too.

{table(RejectionRow)}

### `requests.sqlite`

Every reply ever paid for, by a hash of all that changes it; in `$MEMREASON_CACHE`, by default `~/.cache/memreason`, or
where `--request_cache` says. Costs are in dollars, times in seconds since 1970.

```sql
{TABLES.strip()}
```
"""


def step_types() -> str:
    """The folder of `memreason step-types fit`."""
    return f"""## Step types

`memreason step-types fit` writes a folder: `{RECORD}`, the centres or weights in `{TENSORS}`, `{STEPS}`, and the
pictures `steps.png` and, for SQ-VAE, `losses.png`.

### `{RECORD}`

{table(StepTypesRecord)}

### `{STEPS}`

{table(StepRow)}
"""


def explanations() -> str:
    """The folder of `memreason explain`."""
    return f"""## Explanations

`memreason explain RUN` writes `{FIGURES}`, `{REPORT}` (the page that shows the same), and the folder `{PARTS}/`, where
each result that cost time is kept: `key`, what it depends on, `result`, and `digest`, by which damage is noticed. Rates
are in [0, 1], intervals are [low, high] at 95%.

### `{FIGURES}`

{table(Explanation)}
"""


def comparisons() -> str:
    """What `memreason compare` writes."""
    kinds = (
        ("A result", comparison.ComparisonResult),
        ("`arms` of a result", comparison.SideResult),
        ("`comparisons` of a result", comparison.PairResult),
        ("`rows` of the `groups` of a result", comparison.GroupRow),
        ("`unpaired` of a result", comparison.Unpaired),
    )
    tables = "\n\n".join(
        f"### {title}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n\n{table(kind)}" for title, kind in kinds
    )
    return f"""## Comparisons

`memreason compare --json` prints one object: `format` ({comparison.FORMAT}), `gate` (what `--fail_if_worse` finds:
`not_worse`, `worse`, `cannot_tell`; null without it), and `results`, which holds for each measure a result over all
questions, followed by those of the splits. A result has `format` and `confidence` ({comparison.CONFIDENCE}) as well.
With `--output_dir`, `comparison.json` holds the same without `gate`.

{tables}
"""


def page() -> str:
    """The whole page."""
    head = f"""# Files that memreason writes

<!-- Made by `python docs/formats.py` from the types in the source; change those. -->

All text is UTF-8. JSON files are written whole or not at all; `.jsonl` files hold one JSON object a line. No file holds
a key or password, and none is a pickle once a run is finished. Where a file has a `format`, a version of memreason that
does not know the number refuses the file by name.

| folder | files |
|---|---|
| a run | `{CONFIG}`, `{MANIFEST}`, weights, `trainer_state.json`, `{METRICS}` (written last), and the folders below |
| `before/`, `evaluation/`, `epochs/epoch-…/` of a run | evaluations: `{TRACES}`, `{TRACES_TO_READ}`, `{METRICS}` |
| `checkpoint-…/` of a run | `{MANIFEST}`, `{CONFIG}`, the weights, `trainer_state.json` |
| `evaluation-…/`, or `--output_dir` | what `memreason evaluate` finds: an evaluation |
| `logs/` of a run | `{TRACKER_RUNS}`: tracker → the id of its run (only with `--report_to`) |
| an export | `{MARKER}`, and the files of its form |
| `explanation/` of a run, or `--output_dir` | what `memreason explain` finds: `{FIGURES}`, `{REPORT}`, `{PARTS}/` |
| `…-score/`, or `--output_dir` | what `memreason score` finds: an evaluation, and `{UNMATCHED}` |
"""
    benchmark = """## `benchmark.json`

`memreason benchmark --output benchmark.json` writes one object: `machine` (processor, memory, versions), `options` of
the command, `work` (what was to be done, in tokens), `ceiling` (the machine's own rates, measured in every round), and
for each section of `--what` an object of contestants: the figures of their turns, medians first.
"""
    export = f"""## `{MARKER}`

An export is recognised by this file. It is one object: `to` (the value of `--to`), `memreason` (the version), and
`checks`, the figures of what was verified, by name.
"""
    return "\n".join(
        [
            head,
            evaluations(),
            checkpoints(),
            labelling(),
            step_types(),
            explanations(),
            comparisons(),
            benchmark,
            export,
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
