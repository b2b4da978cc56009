"""Writes the logs in this folder with the programs whose logs `memreason score` reads.

Run by hand, with inspect_ai 0.3.285 and lm_eval 0.4.13 installed: python tests/evaluation/logs/make.py
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import datasets
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelAPI, ModelOutput, get_model, modelapi
from inspect_ai.scorer import choice, match
from inspect_ai.solver import generate, multiple_choice, prompt_template
from lm_eval import evaluator
from lm_eval.api.model import LM
from lm_eval.api.task import ConfigurableTask
from lm_eval.loggers import EvaluationTracker

HERE = Path(__file__).parent
YES_NO = [("q-far", "Is it far?", "True"), ("q-near", "Is it far? Or is it near?", "False")]
CHOICE = ("q-town", "Where is it?", ["a town", "a city"], "B")
REPLIES = {"Is it far?": "It is far.\nThe answer is: True", "Or is it near?": "It is near.\nThe answer is: True"}
TEMPLATE = "Think first, then answer True or False.\n\n{prompt}"


def reply(prompt: str) -> str:
    known = [(prompt.rfind(asked), text) for asked, text in REPLIES.items() if asked in prompt]
    return max(known)[1] if known else "It is big.\nANSWER: B"


@modelapi("fixed")
class Fixed(ModelAPI):
    async def generate(self, input, tools, tool_choice, config):
        return ModelOutput.from_content(self.model_name, reply(input[-1].text))

    async def count_text_tokens(self, text):
        return len(text)


def inspect_logs(folder: Path) -> None:
    yes_no = [Sample(id=id_, input=text, target=gold) for id_, text, gold in YES_NO]
    letters = [Sample(id=1, input=CHOICE[1], choices=CHOICE[2], target=CHOICE[3])]
    thinking = [prompt_template(TEMPLATE), generate()]
    tasks = {
        "eval": Task(MemoryDataset(yes_no), solver=thinking, scorer=match(), epochs=2),
        "json": Task(MemoryDataset(letters), solver=multiple_choice(), scorer=choice()),
    }
    for form, each in tasks.items():
        (log,) = eval(each, get_model("fixed/model"), log_dir=str(folder), log_format=form, display="none")
        assert log.status == "success", log.error
        shutil.move(log.location.removeprefix("file://"), HERE / f"inspect.{form}")


class FixedLM(LM):
    def generate_until(self, requests, disable_tqdm=False):
        return [reply(request.args[0]) for request in requests]

    def loglikelihood(self, requests, disable_tqdm=False):
        return [(-float(len(request.args[1])), False) for request in requests]

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        return [-float(len(request.args[0])) for request in requests]


def task(name: str, rows: list[dict], **config) -> ConfigurableTask:
    common = {
        "task": name,
        "test_split": "test",
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(rows)},
    }
    return ConfigurableTask(config=common | config)


def lm_eval_samples(folder: Path) -> None:
    number = {"function": "regex", "regex_pattern": "is: (.*)"}
    tasks = {
        "yes_no": task(
            "yes_no",
            [{"question": text, "label": gold} for _, text, gold in YES_NO],
            doc_to_text="Q: Is snow white?\nA: It is.\nThe answer is: True\n\nQ: {{question}}\nA:",
            doc_to_target="label",
            generation_kwargs={"until": ["\n\n"]},
            filter_list=[
                {"name": name, "filter": [number, {"function": "take_first"}]} for name in ("strict-match", "loose")
            ],
        ),
        "choice": task(
            "choice",
            [{"id": 7, "goal": CHOICE[1], "choices": {"label": ["A", "B"], "text": CHOICE[2]}, "key": "B"}],
            doc_to_text="{{goal}}\n(A) {{choices.text[0]}}\n(B) {{choices.text[1]}}\nAnswer:",
            doc_to_target="key",
            generation_kwargs={"until": ["\n\n"]},
        ),
        "likelihoods": task(
            "likelihoods",
            [{"question": CHOICE[1], "choices": CHOICE[2], "answer": 1}],
            doc_to_text="question",
            doc_to_target="answer",
            doc_to_choice="choices",
            output_type="multiple_choice",
        ),
    }
    results = evaluator.evaluate(FixedLM(), tasks, bootstrap_iters=0)
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "fixed"
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    for name, rows in samples.items():
        tracker.save_results_samples(name, rows)
    for path in folder.rglob("samples_*.jsonl"):
        name = path.name.removeprefix("samples_").rpartition("_")[0]
        shutil.move(path, HERE / f"lm_eval-{name}.jsonl")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        inspect_logs(Path(folder))
        lm_eval_samples(Path(folder))
    json.dump({path.name: path.stat().st_size for path in sorted(HERE.iterdir())}, sys.stdout, indent=1)
