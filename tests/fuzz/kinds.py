"""Every kind of file that memreason reads: a valid one, how it is read, and what would be nonsense."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fuzz import checkpoints, labelling
from fuzz.mutate import Mutator, as_bytes, as_jsonl, as_yaml, jsonl, one_file

from memreason.cli.parser import Parser
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.evaluation.files import read_traces
from memreason.evaluation.score import score
from memreason.tasks.base import TaskData
from memreason.tasks.registry import load_task

Form = Callable[[Mutator, bytes], bytes]


class Kind(NamedTuple):
    """``make`` writes a folder of valid files, of which ``file`` is then damaged; ``place`` stands in every refusal.

    ``share``: how many inputs, beside other kinds; below 1 it is slow to read, and left out of everyday tests.
    """

    make: Callable[[Path], None]
    file: str
    form: Form
    read: Callable[[Path], Any]
    nonsense: Callable[[Any], str] = lambda result: ""
    refusals: tuple[type[Exception], ...] = ()
    place: str = ""
    share: float = 1.0


# ---- datasets ------------------------------------------------------------------------------------


def odd_task(task: TaskData) -> str:
    """What no dataset holds, whatever its file did."""
    ids = set()
    for split, solutions in task.splits.items():
        if not isinstance(split, str) or not split.strip():
            return f"a split named {split!r}"
        for solution in solutions:
            question = solution.question
            texts = (question.id, question.text, question.answer, *question.options, *(s.text for s in solution.steps))
            if not all(isinstance(text, str) and text.strip() for text in texts):
                return f"a blank text: {texts!r}"[:300]
            if any("\ud800" <= c <= "\udfff" for text in (*texts, split) for c in text):
                return "half of a surrogate pair"
            if len(question.options) == 1 or len(question.options) > 26:
                return f"{len(question.options)} options"
            if task.answer_kind == "choice" and question.answer not in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
                return f"the answer {question.answer}"
            if question.options and ord(question.answer[0]) - 65 >= len(question.options):
                return f"the answer {question.answer} of {len(question.options)} options"
            if task.answer_kind == "number" and question.answer.casefold() in ("nan", "inf", "-inf", "true", "none"):
                return f"the number {question.answer}"
            if question.id in ids:
                return f"the id {question.id} twice"
            ids.add(question.id)
    return ""


def rows_of(make: Callable[[int], dict[str, Any]]) -> bytes:
    return jsonl(*map(make, range(6)))


def dataset(name: str, make: Callable[[int], dict[str, Any]], file: str = "test.jsonl", form: Form = as_jsonl) -> Kind:
    return Kind(
        one_file(file, rows_of(make)), file, form, lambda folder: load_task(name, str(folder / file)), odd_task,
        place=file,
    )  # fmt: skip


def own(n: int) -> dict[str, Any]:
    steps = [{"type": "memory", "text": f"Fact {n}."}, "[reason]: So not."]
    row: dict[str, Any] = {"id": f"q{n}", "question": f"Is it {n}?", "answer": "True", "steps": steps, "split": "train"}
    return row | {"options": ["a", "b"], "answer": "A"} if n % 3 == 1 else row


def agents(text: str, answer: object) -> Callable[[int], dict[str, Any]]:
    steps = ["[rag]: A fact.", "[reason]: A thought."]
    return lambda n: {
        "question": text.format(n),
        "answer": answer,
        "cot_steps": steps,
        "split": ("train", "test")[n % 2],
    }


def commonsense(n: int) -> dict[str, Any]:
    choices = [{"label": label, "text": f"{label} thing {n}"} for label in "ABCDE"]
    return {"id": f"c{n}", "question": {"stem": f"Where is {n}?", "choices": choices}, "answerKey": "B"}


def commonsense_hub(n: int) -> dict[str, Any]:
    choices = {"label": list("ABC"), "text": ["a town", "a city", "a well"]}
    return {"id": f"c{n}", "question": f"Where is {n}?", "choices": choices, "answerKey": "C"}


def algebra(n: int) -> dict[str, Any]:
    return {"question": f"How much is {n}?", "options": ["A)1", "B)2", "C)3"], "rationale": "one\ntwo\nAnswer: B) 2",
            "correct": "B"}  # fmt: skip


def big_bench(n: int) -> dict[str, Any]:
    return {"input": f"Is it {n}?", "target_scores": {"Yes": 1, "No": 0}, "target": "Yes. It is so. No doubt."}


def strategy(n: int) -> dict[str, Any]:
    return {"qid": f"s{n}", "question": f"Is it {n}?", "answer": n % 2 == 0, "facts": ["A fact.", "Another one."]}


def svamp(n: int) -> dict[str, Any]:
    return {"ID": f"v{n}", "Body": f"He has {n}.", "Question": "How many?", "Equation": "( 7.0 - 2.0 )", "Answer": 5.0}


def mathematics(n: int) -> dict[str, Any]:
    return {"problem": f"What is ${n}$?", "level": "Level 1", "type": "Algebra",
            "solution": f"It is so. Thus $\\boxed{{{n}}}$.", "unique_id": f"test/algebra/{n}.json"}  # fmt: skip


DATASETS = {
    "own jsonl": dataset("jsonl", own),
    "own csv": Kind(
        one_file("mine.csv", b"id,question,answer,options,steps\n" + b"".join(
            b'q%d,"Is it, %d?",B,"[""x"", ""y""]","[memory]: A.\n[reason]: B."\n' % (n, n) for n in range(6))),
        "mine.csv", as_bytes, lambda folder: load_task("jsonl", str(folder / "mine.csv")), odd_task, place="mine.csv",
    ),
    "own parquet": Kind(
        lambda folder: _parquet(folder / "mine.parquet"), "mine.parquet", as_bytes,
        lambda folder: load_task("jsonl", str(folder / "mine.parquet")), odd_task, place="mine.parquet", share=0.2,
    ),
    "agents' strategyqa": dataset("strategyqa", agents("Is it {}?", True)),
    "agents' commonsenseqa": dataset("commonsenseqa", agents("Which is {}? Options: A. one B. two C. three", "B")),
    "agents' truthfulqa": dataset("truthfulqa", agents("Which is {}? A. One. B. Two. C. Three.", "B")),
    "gsm8k": dataset("gsm8k", lambda n: {"question": f"What is {n}+1?", "answer": f"<<{n}+1={n + 1}>>\n#### {n + 1}"}),
    "aqua": dataset("aqua", algebra),
    "commonsenseqa": dataset("commonsenseqa", commonsense),
    "commonsenseqa of the hub": dataset("commonsenseqa", commonsense_hub),
    "svamp": dataset("svamp", svamp),
    "big-bench": dataset("strategyqa", big_bench),
    "strategyqa": dataset("strategyqa", strategy),
    "math": dataset("math", mathematics),
    "truthfulqa": dataset(
        "truthfulqa",
        lambda n: {"question": f"What is {n}?", "mc1_targets": {"choices": ["one", "two", "ten"], "labels": [0, 1, 0]}},
    ),
    "truthfulqa's own": dataset(
        "truthfulqa", lambda n: {"question": f"What is {n}?", "mc1_targets": {"one": 0, "two": 1, "ten": 0}}
    ),
    "truthfulqa's csv": Kind(
        one_file("TruthfulQA.csv", b"Question,Best Answer,Incorrect Answers\n" + b"".join(
            b'What is %d?,"One, it is",Two; Three\n' % n for n in range(6))),
        "TruthfulQA.csv", as_bytes, lambda folder: load_task("truthfulqa", str(folder / "TruthfulQA.csv")), odd_task,
        place="TruthfulQA.csv",
    ),
}  # fmt: skip


def _parquet(path: Path) -> None:
    import datasets

    rows = [{"question": f"Is it {n}?", "answer": "True", "steps": ["[memory]: A.", "[reason]: B."]} for n in range(6)]
    datasets.Dataset.from_list(rows).to_parquet(path)


# ---- recipes, traces, generations ----------------------------------------------------------------

RECIPE = b"dataset: gsm8k\nnum_train: 5\nadd_soft_prompts: false\nlora_dropout: 0.1\ndata_path: null\ndtype: float32\n"


def read_recipe(folder: Path) -> Any:
    return Parser((ModelConfig, DataConfig), "train").parse(["--config", str(folder / "recipe.yaml")])


TRACE = {
    "id": "q1", "options": [], "dataset": "gsm8k", "split": "test", "question": "What is 1+1?", "gold": "2",
    "generated_text": "<prefix_0><step_0> So.\n<prefix_0><answer_0> The answer is: 2",
    "steps": [{"type": "step", "text": "So."}], "answer": "2", "strict": "2", "flexible": "2", "outcome": "correct",
    "flexible_outcome": "correct", "well_formed": True, "truncated": False, "step_truth": None, "cause": None,
    "step_kinds": None, "grounds": None,
}  # fmt: skip


def odd_traces(verdicts: Any) -> str:
    for verdict in verdicts:
        if verdict.outcome not in ("correct", "incorrect", "no_answer"):
            return f"the outcome {verdict.outcome!r}"
        if not all(isinstance(text, str) for text in (verdict.trace.text, verdict.trace.question.text)):
            return "a text that is none"
    return ""


def make_generations(folder: Path) -> None:
    asked = [{"question": f"What is {n}+1?", "answer": f"So.\n#### {n + 1}"} for n in range(4)]
    (folder / "gsm.jsonl").write_bytes(jsonl(*asked))
    texts = [
        {"question": row["question"], "generated_text": f"So.\nThe answer is: {n + 1}"} for n, row in enumerate(asked)
    ]
    (folder / "texts.json").write_bytes(jsonl(*texts))


def read_generations(folder: Path) -> Any:
    return score(load_task("gsm8k", str(folder / "gsm.jsonl")), str(folder / "texts.json"), str(folder / "out"))


TEXTS = {
    "recipe": Kind(one_file("recipe.yaml", RECIPE), "recipe.yaml", as_yaml, read_recipe),
    "traces": Kind(one_file("traces.jsonl", jsonl(TRACE, TRACE | {"id": "q2"})), "traces.jsonl", as_jsonl,
                   lambda folder: read_traces(folder / "traces.jsonl"), odd_traces, place="traces.jsonl"),
    "generations": Kind(make_generations, "texts.json", as_jsonl, read_generations, place="texts.json", share=0.2),
}  # fmt: skip

KINDS: dict[str, Kind] = (
    DATASETS | TEXTS | {name: Kind(**fields) for name, fields in (labelling.KINDS | checkpoints.KINDS).items()}
)
"""By name."""
