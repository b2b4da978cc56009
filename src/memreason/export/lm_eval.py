"""`--to lm-eval`: tasks for lm-evaluation-harness, whose questions, prompts and extraction of answers are ours."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from memreason.config.run import read_config
from memreason.export.base import Exported, check_output, files_in, new_folder, write_marker
from memreason.export.config import ExportConfig
from memreason.export.merged import check_can_merge
from memreason.generation.few_shot import Demonstrations, demonstrations_of
from memreason.models.base_checks import check_tokens
from memreason.models.manifest import Manifest, read_manifest
from memreason.models.weights import load_tokenizer
from memreason.records import Question, Solution
from memreason.runtime.files import write_json, write_jsonl
from memreason.tasks.load import load_data

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UTILS = Path(__file__).with_name("lm_eval_utils.py")

TASK = """\
# {count} questions of {dataset} ({split}). Prompts and answers are as in `memreason evaluate`.
task: {name}
class: !function utils.Questions
dataset_path: json
dataset_kwargs: {{data_files: {split}.jsonl}}
test_split: test
output_type: generate_until
num_fewshot: 0
doc_to_text: prompt
doc_to_target: answer
generation_kwargs:
  until: [{end}]
  do_sample: false
  max_gen_toks: {longest}  # the most; utils.Questions gives each question its own limit
filter_list:
  - name: strict
    filter: [{{function: custom, filter_fn: !function utils.strict}}]
  - name: flexible
    filter: [{{function: custom, filter_fn: !function utils.flexible}}]
process_results: !function utils.process_results
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: answered, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""
GROUP = """\
# What `memreason evaluate` answers.
group: {name}
task: [{tasks}]
aggregate_metric_list:
  - {{metric: acc, aggregation: mean, weight_by_size: true, filter_list: [strict, flexible]}}
  - {{metric: answered, aggregation: mean, weight_by_size: true, filter_list: [strict, flexible]}}
metadata: {{version: 1.0}}
"""


def export(config: ExportConfig) -> Exported:
    """Write the questions of each split with their prompts, a task for each split, and a group of the test splits.

    The questions are those of the run: `memreason evaluate` answers the same. Each prompt is tokenized as
    lm-evaluation-harness does it, and compared with the ids of `PlanningTokens.encode_prompt`. Raises UserError for a
    checkpoint that cannot be merged, and where the dataset or the tokenizer cannot be loaded.
    """
    check_output(config.folder, config.overwrite_output_dir)
    manifest, run = read_manifest(config.checkpoint), read_config(config.checkpoint)
    check_can_merge(config.checkpoint, manifest)
    tokenizer = load_tokenizer(str(config.checkpoint))
    check_tokens(str(config.checkpoint), tokenizer, manifest)
    task, layout = load_data(run.data), manifest.planning_tokens
    rows_of = _Rows(manifest, tokenizer, demonstrations_of(run.ablations, run.data, task))
    name = re.sub(r"\W+", "_", f"memreason_{task.name}")
    tasks = {split: f"{name}_{split}" for split, solutions in task.splits.items() if solutions}
    end = json.dumps(tokenizer.convert_ids_to_tokens(layout.end_id(tokenizer)), ensure_ascii=False)
    with new_folder(config.folder, config.overwrite_output_dir) as folder:
        for split, task_name in tasks.items():
            rows = rows_of(task.splits[split], split)
            write_jsonl(folder / f"{split}.jsonl", rows)
            longest = max(1, *(row["max_new_tokens"] for row in rows))
            text = TASK.format(
                count=len(rows), dataset=task.name, split=split, name=task_name, end=end, longest=longest
            )
            (folder / f"{split}.yaml").write_text(text, encoding="utf-8")
        evaluated = [tasks[split] for split in task.test_splits if split in tasks] or list(tasks.values())
        (folder / "group.yaml").write_text(GROUP.format(name=name, tasks=", ".join(evaluated)), encoding="utf-8")
        shutil.copyfile(UTILS, folder / "utils.py")
        write_json(folder / "settings.json", {"answer_kind": task.answer_kind, "planning_tokens": asdict(layout)})
        checks = {"prompts": f"{rows_of.same} of {rows_of.count} are read as the tokens of memreason's own"}
        write_marker(folder, config.to, checks)
    notes = [
        f"Evaluate the merged model: lm_eval --model hf --model_args pretrained=MERGED,dtype={manifest.dtype} "
        f"--include_path {config.folder} --tasks {name} --output_path DIR --log_samples.",
        "memreason must be installed where lm_eval runs, because its extractors find the answers.",
    ]
    if rows_of.same < rows_of.count:
        notes.append(
            "Where the tokens of a prompt differ, so may the answer: lm-evaluation-harness tokenizes a prompt as a "
            "whole, and training tokenized its parts."
        )
    if run.data.use_calculator:
        notes.append("The run's calculator is not used there: results in marks such as <<48/2=24>> are the model's.")
    return Exported(config.folder, files_in(config.folder), checks, tuple(notes))


class _Rows:
    """Makes the lines of the files of questions, and counts the prompts that are the ``same`` tokens there as here."""

    def __init__(self, manifest: Manifest, tokenizer: PreTrainedTokenizerBase, shown: Demonstrations | None) -> None:
        self.layout, self.limit, self.tokenizer = manifest.planning_tokens, manifest.model_max_length, tokenizer
        self.shown = shown or (lambda question: ())
        self.count = self.same = 0

    def __call__(self, solutions: Sequence[Solution], split: str) -> list[dict[str, Any]]:
        """The rows of one split."""
        questions = (solution.question for solution in solutions)
        return [self._row(q) for q in tqdm(questions, f"  prompts of {split}", len(solutions), unit="q")]

    def _row(self, question: Question) -> dict[str, Any]:
        shown = self.shown(question)
        prompt = self.layout.prompt_string(self.tokenizer, question, shown)
        ids = self.layout.encode_prompt(self.tokenizer, question, demonstrations=shown)
        self.count += 1
        self.same += ids == _read_there(self.tokenizer, prompt)
        return {
            "id": question.id,
            "question": question.text,
            "options": question.options,
            "answer": question.answer,
            "prompt": prompt,
            "max_new_tokens": self.limit - len(ids),
        }


def _read_there(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """The ids that lm-evaluation-harness reads: with the tokenizer's own special tokens, unless [bos] is there."""
    opened = bool(tokenizer.bos_token) and prompt.startswith(tokenizer.bos_token)
    return tokenizer(prompt, add_special_tokens=not opened)["input_ids"]
