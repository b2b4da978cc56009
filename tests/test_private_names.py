"""Names of dependencies that are theirs to change, each used in one file: is it there, and what to do if not.

A failure here after an upgrade says why others fail. `make newest` runs these tests with the newest versions.
"""

import ast
import inspect
from argparse import ArgumentParser, HelpFormatter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import accelerate
import pytest
import torch
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer
from transformers import PreTrainedConfig, Trainer

from memreason.training.trainer import GenerationTrainer

SOURCE = Path(__file__).parents[1] / "src" / "memreason"


class Private(NamedTuple):
    """``there`` says whether the dependency has the name still; ``otherwise`` what to do where it has not."""

    package: str
    name: str
    there: Callable[[], bool]
    otherwise: str


def of_trainer(name: str, otherwise: str) -> Private:
    """A method that GenerationTrainer overrides: it must exist, and still be called by Trainer."""
    there = lambda: hasattr(Trainer, name) and f".{name}" in inspect.getsource(inspect.getmodule(Trainer))  # noqa: E731
    return Private("transformers", name, there, f"GenerationTrainer overrides it: {otherwise}")


def of_argparse(name: str) -> Private:
    parser = ArgumentParser()
    has = (HelpFormatter, parser, parser.add_argument_group())
    there = lambda: any(hasattr(one, name) for one in has)  # noqa: E731
    return Private("python", name, there, "write the help of a command in another way, in Parser and its formatter")


def prefix_of_checkpointed_layers() -> bool:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import _CHECKPOINT_PREFIX

    return _CHECKPOINT_PREFIX == "_checkpoint_wrapped_module."


def offline_transformations() -> bool:
    module = pytest.importorskip("openvino._offline_transformations", reason="openvino is not installed")
    return hasattr(module, "apply_make_stateful_transformation")


def of_mkldnn(name: str) -> Callable[[], bool]:
    return lambda: not torch.backends.mkldnn.is_available() or hasattr(torch.ops.mkldnn, name)


NAMES = [
    of_trainer("_get_train_sampler", "find where the order of the examples is chosen now"),
    of_trainer("_prepare_for_training", "find what gives the model to accelerate to be sharded"),
    of_trainer("_save_checkpoint", "find what writes checkpoint-N, which must be marked complete last"),
    of_trainer("_save_optimizer_and_scheduler", "find what writes optimizer.pt, for sharded weights"),
    of_trainer("_load_optimizer_and_scheduler", "find what reads optimizer.pt, and name the file in its errors"),
    of_trainer("_load_rng_state", "find what reads rng_state.pth, and name the file in its errors"),
    of_trainer("_load_scaler", "find what reads scaler.pt, and name the file in its errors"),
    of_trainer("_load_from_checkpoint", "find what loads weights on resuming; ours are a ModelUnit's"),
    of_trainer("_load_best_model", "find what loads the best epoch's weights; ours are a ModelUnit's"),
    Private("transformers", "_attn_implementation", lambda: hasattr(PreTrainedConfig(), "_attn_implementation"),
            "read the attention in use by its new name"),
    Private("peft", "_get_embed_scale", lambda: hasattr(TrainableTokensLayer, "_get_embed_scale"),
            "find how PEFT scales new rows for models that scale their embeddings (Gemma)"),
    Private("accelerate", "_original_forward",
            lambda: "_original_forward" in inspect.getsource(accelerate.Accelerator.prepare_model),
            "find how a model's forward is had without the autocast that accelerate puts around it"),
    Private("torch", "_linear_pointwise", of_mkldnn("_linear_pointwise"),
            "find oneDNN's product with a reordered weight; until then bfloat16 is slower, and right"),
    Private("torch", "_reorder_linear_weight", of_mkldnn("_reorder_linear_weight"),
            "find oneDNN's reordering of a weight; until then bfloat16 is slower, and right"),
    Private("torch", "_unsafe_view", lambda: hasattr(torch.ops.aten, "_unsafe_view"),
            "return a copy from the adapters' function instead"),
    Private("torch", "_softmax_backward_data", lambda: hasattr(torch, "_softmax_backward_data"),
            "write the gradient of softmax out: (grad - (grad * weight).sum(-1, keepdim=True)) * weight"),
    Private("torch", "_parameters", lambda: "_parameters" in vars(torch.nn.Module()),
            "copy a norm with another weight in another way"),
    Private("torch", "_checkpoint_wrapped_module", prefix_of_checkpointed_layers,
            "take what activation checkpointing adds now out of the names of sharded layers"),
    Private("openvino", "_offline_transformations", offline_transformations,
            "find what makes keys and values a state of the OpenVINO model"),
    *map(of_argparse, ("_action_groups", "_actions", "_format_action_invocation", "_format_args", "_get_formatter",
                       "_get_help_string", "_group_actions", "_option_string_actions")),
]  # fmt: skip

DOCUMENTED = {"_asdict", "_exit"}
"""Public all the same."""


@pytest.mark.parametrize("private", NAMES, ids=lambda it: f"{it.package}:{it.name}")
def test_it_is_there(private: Private) -> None:
    if not private.there():
        is_python = private.package == "python"
        installed = "" if is_python else f" {version(private.package)}"
        until = "" if is_python else f". Until then lower the upper bound of {private.package} in pyproject.toml"
        where = ", ".join(sorted(used_in().get(private.name, {"src"})))
        pytest.fail(
            f"{private.package}{installed} has no {private.name}, which {where} uses; {private.otherwise}{until}",
            pytrace=False,
        )


def used_in() -> dict[str, set[str]]:
    """Private name → files that use it, of all names that are not made in our own source."""
    made, uses = set(), {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case (
                    ast.FunctionDef(name=name)
                    | ast.AsyncFunctionDef(name=name)
                    | ast.ClassDef(name=name)
                    | ast.arg(arg=name)
                ):
                    made.add(name)
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                    made.add(name)
                case ast.Attribute(attr=name):
                    uses.setdefault(name, set()).add(path.relative_to(SOURCE).as_posix())
                case ast.ImportFrom(module=str(module), names=aliases):
                    for name in (*module.split("."), *(alias.name for alias in aliases)):
                        uses.setdefault(name, set()).add(path.relative_to(SOURCE).as_posix())
                case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                    uses.setdefault(name, set()).add(path.relative_to(SOURCE).as_posix())
    known = {private.name for private in NAMES}
    return {
        name: files
        for name, files in uses.items()
        if name.startswith("_") and not name.startswith("__") and (name not in made or name in known)
    }


def test_each_is_listed_and_used_in_one_file_only() -> None:
    known = {private.name for private in NAMES} | DOCUMENTED
    for name, files in used_in().items():
        assert name in known, f"{files} use {name}, which is another package's; find a public way, or list it here"
        assert name in DOCUMENTED or len(files) == 1, f"{name} is used in {sorted(files)}; put it behind one function"
    ours = {name for name in vars(GenerationTrainer) if name.startswith("_") and name[:2] != "__"}
    assert {name for name in ours if hasattr(Trainer, name)} == {p.name for p in NAMES if "GenerationTr" in p.otherwise}


def test_packages_whose_private_names_are_used_have_an_upper_bound() -> None:
    lines = (SOURCE.parents[1] / "pyproject.toml").read_text().splitlines()
    for package in {private.package for private in NAMES} - {"python"}:
        assert any((line.strip().startswith(f'"{package}') and "<" in line) or (f'["{package}' in line and ",<" in line)
                   for line in lines), f"give {package} an upper bound in pyproject.toml"  # fmt: skip
