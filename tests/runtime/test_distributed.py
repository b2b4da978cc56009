"""Several processes do what one does: real ones, started by the launchers, on tiny models and CPUs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import options
from helpers.tiny import make_base, teach
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, MistralConfig, MistralForCausalLM

from memreason import load
from memreason.config.ablations import AblationConfig
from memreason.records import MEMORY, REASON, Question, Solution, Step
from memreason.runtime import distributed
from memreason.runtime.disk_list import DiskList
from memreason.tasks.jsonl import export_jsonl
from memreason.training.train import train

CITIES = {"Paris": "France", "Rome": "Italy", "Oslo": "Norway", "Lima": "Peru", "Cairo": "Egypt", "Quito": "Ecuador",
          "Tunis": "Tunisia"}  # fmt: skip
SIZES = {"train": 13, "validation": 9, "test": 9}
"""No multiple of what two processes do at a time."""


class TestOneProcess:
    def test_is_the_main_one_and_shares_with_nobody(self) -> None:
        assert (distributed.world_size(), distributed.rank(), distributed.is_main()) == (1, 0, True)
        assert distributed.gather("x") == ["x"]

        def work(items: DiskList[int], take: distributed.OnResult[int]) -> None:
            for place in (2, 0, 1):  # results may come in any order
                take(place, items[place] * 10)

        assert distributed.share(DiskList([3, 1, 2]), work, size=int) == [30, 10, 20]
        distributed.wait_for_everyone()
        assert not torch.distributed.is_initialized()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    cities = list(CITIES)
    for split, text in (("train", "{}"), ("validation", "So: {}"), ("test", "Now: {}")):
        solutions = []
        for number, (capital, country) in enumerate(CITIES.items()):
            for city in (capital, cities[number - 2]):
                asked = f"Is {city} the capital of {country}{' by any chance' * (number % 3)}?"
                no = "" if city == capital else " not"
                steps = (Step(MEMORY, f"The capital of {country} is {capital}."), Step(REASON, f"{city} is{no} it."))
                question = Question(f"{split}-{city}-{country}", text.format(asked), str(city == capital))
                solutions.append(Solution(question, steps))
        export_jsonl(solutions[: SIZES[split]], folder / f"{split}.jsonl")
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Shape → a tiny base model that writes something sensible."""
    root = tmp_path_factory.mktemp("taught")
    bases = {shape: make_base(root / shape, shape) for shape in ("untied", "padded", "tied")}
    bases["windows"] = make_base(root / "windows", "untied")
    config = AutoConfig.from_pretrained(bases["windows"]).to_dict()
    sizes = {key: config[key] for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                                          "num_attention_heads", "num_key_value_heads", "eos_token_id")}  # fmt: skip
    MistralForCausalLM(MistralConfig(**sizes, sliding_window=24, pad_token_id=None)).save_pretrained(bases["windows"])
    return {shape: teach(folder, 40) for shape, folder in bases.items()}


TRAINING = {"num_train_epochs": 2, "per_device_train_batch_size": 2, "optim": "sgd", "learning_rate": 0.5,
            "lora_dropout": 0.0, "logging_steps": 1, "model_max_length": 128,
            "load_best_model_at_end": False}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "tied": {"shape": "tied"},
    "rows": {"shape": "tied", "parameter_efficient_mode": "prompt-tuning"},
    "lora": {"shape": "padded", "parameter_efficient_mode": "lora"},
    "whole": {"shape": "tied", "parameter_efficient_mode": "none", "learning_rate": 0.05},
    "packed": {"shape": "untied", "ablations": {"mode": "constant_len"}},
    "windows": {"shape": "windows"},
    "sparse": {"shape": "padded", "ablations": {"use_sparse_attention": True}},
}
ROUNDED = {"bfloat16": {"shape": "untied", "dtype": "bfloat16"}}


def start(command: list[str], launcher: str = "torchrun") -> subprocess.Popen[str]:
    launch = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    if launcher == "accelerate":
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        # accelerate knows no several processes on CPUs (without MPI); told of GPUs, it starts them all the same.
        launch = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
        launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-m", *launch, *command], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def output_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=150)
    return output


@pytest.fixture(scope="module")
def runs(taught: dict[str, Path], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one`, `ddp` and `fsdp`, each with a run for every case: by one process, by two, by two that shard it."""
    root = tmp_path_factory.mktemp("runs")
    cases = {}
    for name, case in {**CASES, **ROUNDED}.items():
        given = {key: value for key, value in case.items() if key not in ("shape", "ablations")}
        cases[name] = {"base": str(taught[case["shape"]]), "data": str(data), "options": {**TRAINING, **given},
                       "ablations": case.get("ablations", {})}  # fmt: skip
    (root / "cases.json").write_text(json.dumps(cases))
    job = start([str(Path(__file__).parents[1] / "helpers" / "processes_job.py"), str(root)])
    for name, case in cases.items():
        more = {**case["options"], "gradient_accumulation_steps": 4}
        train(*options(Path(case["base"]), data, root / "one" / name, **more), AblationConfig(**case["ablations"]))
    output = output_of(job)
    assert job.returncode == 0, output
    return root


def steps_of(run: Path) -> list[dict[str, float]]:
    return [entry for entry in json.loads((run / "trainer_state.json").read_text())["log_history"] if "loss" in entry]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", CASES)
class TestTwoProcesses:
    def test_have_the_losses_and_gradients_of_one(self, runs: Path, kind: str, name: str) -> None:
        """The last batch of an epoch, which is not full, included."""
        one, two = steps_of(runs / "one" / name), steps_of(runs / kind / name)
        assert len(one) == len(two) == 4
        for key in ("loss", "grad_norm", "learning_rate"):
            assert [entry[key] for entry in two] == pytest.approx([entry[key] for entry in one], rel=1e-4), key

    def test_end_with_the_weights_of_one(self, runs: Path, kind: str, name: str) -> None:
        file = "model.safetensors" if name == "whole" else "adapter_model.safetensors"
        one, two = (load_file(runs / which / name / file) for which in ("one", kind))
        assert one.keys() == two.keys()
        for weight in one:
            assert torch.allclose(one[weight], two[weight], atol=1e-5), weight

    def test_leave_the_files_and_the_answers_of_one(self, runs: Path, kind: str, name: str) -> None:
        one, two = ({str(path.relative_to(runs / which / name)) for path in (runs / which / name).rglob("*")}
                    for which in ("one", kind))  # fmt: skip
        assert one == two
        for folder in ("evaluation", "epochs/epoch-1"):
            first, second = ((runs / which / name / folder / "traces.jsonl").read_text().splitlines()
                             for which in ("one", kind))  # fmt: skip
            assert [json.loads(line)["id"] for line in second] == [json.loads(line)["id"] for line in first]
            assert second == first
        metrics = json.loads((runs / kind / name / "metrics.json").read_text())
        assert metrics["after"]["test"]["n"] == SIZES["test"]
        assert metrics == json.loads((runs / "one" / name / "metrics.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_in_16_bits_the_losses_are_alike_too(runs: Path, kind: str) -> None:
    one, two = steps_of(runs / "one" / "bfloat16"), steps_of(runs / kind / "bfloat16")
    assert [entry["loss"] for entry in two] == pytest.approx([entry["loss"] for entry in one], rel=1e-2)
    lines = (runs / kind / "bfloat16" / "evaluation" / "traces.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == SIZES["test"]


@pytest.mark.slow
class TestSharding:
    def test_each_process_holds_its_part_of_every_layer(self, runs: Path) -> None:
        held = json.loads((runs / "held.json").read_text())
        for name in CASES:
            whole = [one["weights"] for one in held[f"ddp/{name}"]]
            parts = [one["weights"] for one in held[f"fsdp/{name}"]]
            assert whole[0] == whole[1]
            assert all(one["layers"] == 0 for one in held[f"ddp/{name}"])
            assert all(one["layers"] >= 2 + 1 for one in held[f"fsdp/{name}"])  # two decoder layers and the whole
            assert max(parts) < 0.6 * whole[0], (name, parts, whole)

    def test_the_checkpoint_loads_in_stock_peft(self, runs: Path, taught: dict[str, Path]) -> None:
        run = runs / "fsdp" / "tied"
        base = AutoModelForCausalLM.from_pretrained(taught["tied"], dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(run)
        base.resize_token_embeddings(len(tokenizer))
        stock = PeftModel.from_pretrained(base, run).eval()
        ours = load(run)
        ids = tokenizer("Question: Is Rome the capital of Italy?\n<prefix_0>", return_tensors="pt").input_ids
        with torch.no_grad(), ours.unit.merged() as model:
            assert torch.allclose(stock(ids).logits, model(ids).logits, atol=1e-4)


@pytest.mark.slow
def test_each_process_draws_its_own_dropout(runs: Path) -> None:
    held = json.loads((runs / "held.json").read_text())
    for kind in ("ddp", "fsdp"):
        first, second = (one["draws"] for one in held[f"{kind}/tied"])
        assert first != second


@pytest.mark.slow
class TestCommands:
    def test_evaluate_shares_the_questions_and_speaks_once(self, runs: Path, tmp_path: Path) -> None:
        run = runs / "one" / "tied"
        job = start(["-m", "memreason", "evaluate", "--model_name_or_path", str(run), "--output_dir", str(tmp_path)])
        output = output_of(job)
        assert job.returncode == 0, output
        assert output.count("traces and metrics:") == 1 and output.count("test-Paris-France") == 1
        for file in ("traces.jsonl", "traces.txt", "metrics.json"):
            assert (tmp_path / file).read_bytes() == (run / "evaluation" / file).read_bytes()

    @pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
    def test_a_mistake_of_the_user_is_reported_once(self, tmp_path: Path, launcher: str) -> None:
        flags = ["--dataset", "jsonl", "--data_path", str(tmp_path / "nowhere")]
        job = start(["-m", "memreason", "train", *flags, "--output_dir", str(tmp_path / "run")], launcher)
        output = output_of(job)
        assert job.returncode != 0
        assert output.count("nowhere: no such file or folder") == 1, output
        assert "another process" not in output and not (tmp_path / "run").exists()

    def test_what_is_a_job_for_one_process_is_refused(self) -> None:
        job = start(["-m", "memreason", "tasks"])
        output = output_of(job)
        assert job.returncode != 0
        assert output.count("memreason tasks: is a job for one process") == 1, output


SHARDING = ["--fsdp", "--fsdp_config", '{"activation_checkpointing": true}']


def process_of(launcher: subprocess.Popen[str], rank: int) -> int:
    """The process id of a rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return next(int(pid) for pid in children if f"RANK={rank}" in Path(f"/proc/{pid}/environ").read_text().split("\0"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sharding", "victim", "moment"),
    [([], 1, "checkpoint-4/complete"), (SHARDING, 0, "checkpoint-6/trainer_state.json")],
    ids=["whole", "sharded"],
)
def test_a_run_of_which_one_process_dies_can_be_resumed(
    taught: dict[str, Path], data: Path, tmp_path: Path, sharding: list[str], victim: int, moment: str
) -> None:
    def train_into(folder: Path, *more: str, launcher: str = "torchrun") -> subprocess.Popen[str]:
        command = [
            "-m", "memreason", "train", "--dataset", "jsonl", "--data_path", str(data), "--dtype", "float32",
            "--model_name_or_path", str(taught["tied"]), "--num_train_epochs", "4", "--model_max_length", "96",
            "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2", "--learning_rate", "1e-2",
            "--lora_dropout", "0.2", "--output_dir", str(folder),
        ]  # fmt: skip
        return start([*command, *sharding, *more], launcher)

    whole = train_into(tmp_path / "whole", launcher="torchrun" if sharding else "accelerate")
    output = output_of(whole)
    assert whole.returncode == 0, output

    killed = tmp_path / "killed"
    job = train_into(killed)
    deadline = time.time() + 120
    while not (killed / moment).exists() and job.poll() is None and time.time() < deadline:
        time.sleep(0.002)
    os.kill(process_of(job, victim), signal.SIGKILL)
    output = output_of(job)
    assert job.returncode != 0
    if "(SIGABRT)" not in output:  # a thread of gloo may abort the other process before that can say anything
        assert output.count("another process of the run has ended") == 1, output
        assert output.count("the same command with --resume goes on from the last checkpoint") == 1
    assert not (killed / "metrics.json").exists(), "the kill came too late to test anything"

    alone = [sys.executable, "-m", "memreason", "train", "--config", str(killed / "config.yaml"), "--resume"]
    alone += ["--output_dir", str(killed)]
    if not sharding:  # the same run, by fewer
        refused = subprocess.run(alone, capture_output=True, text=True)
        assert refused.returncode == 2 and "was begun with 2 processes" in refused.stderr, refused.stderr

    resumed = train_into(killed, "--resume")
    output = output_of(resumed)
    assert resumed.returncode == 0, output
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (tmp_path / "whole", killed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    files = [(folder / "evaluation" / "traces.jsonl").read_bytes() for folder in (tmp_path / "whole", killed)]
    assert files[0] == files[1]
