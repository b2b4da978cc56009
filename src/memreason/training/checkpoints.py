"""The `checkpoint-…` folders of a run: which can be gone on from, and which go. Nobody else's files are touched."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import safe_open

from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION_FILES
from memreason.models.manifest import MANIFEST, is_checkpoint, read_manifest
from memreason.runtime.reading import fits, read_object, reason
from memreason.training.dataset import TOKENISED, discard

COMPLETE = "complete"
"""Empty file written last into a training checkpoint; one without it was cut off while being saved."""
STATE = "trainer_state.json"
WHOLE = (COMPLETE, MANIFEST, STATE, "optimizer.pt", "scheduler.pt")
RESUME_FILES = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", "scaler.pt", COMPLETE)
"""What only resuming needs; removed when the run is finished."""
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")
MODEL_FILES = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json", "config.json",
               "generation_config.json")  # fmt: skip
_FILES = (*ADAPTER_FILES, *MODEL_FILES, *RESUME_FILES, MANIFEST, STATE, "config.yaml", "training_args.bin",
          "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model",
          "chat_template.jinja", "additional_chat_templates", ".saving.*")  # fmt: skip
"""What is written into a checkpoint, by us, transformers and PEFT."""
_SAVING = ".saving.*"
_STATE = {"global_step": int, "epoch": float | None, "best_metric": float | None, "best_model_checkpoint": str | None,
          "log_history": list[dict[str, Any]] | None}  # fmt: skip
"""What a run goes on from, of the Trainer's state."""


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove from ``folder`` what has one of the ``names`` (patterns)."""
    for name in names:
        for path in folder.glob(name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove_if_empty(folder: Path) -> None:
    """Remove ``folder`` unless somebody else's file is in it."""
    with suppress(OSError):
        folder.rmdir()


def remove_evaluation(folder: Path) -> None:
    """Remove what an evaluation wrote."""
    if folder.is_dir() and not folder.is_symlink():
        remove(folder, EVALUATION_FILES)
        remove_if_empty(folder)


def remove_checkpoint(folder: Path) -> None:
    """Remove what training wrote into a checkpoint, and evaluations of it; of a link to one, the link."""
    if folder.is_symlink():
        folder.unlink()
        return
    for evaluation in folder.glob("evaluation*"):
        remove_evaluation(evaluation)
    remove(folder, _FILES)
    remove_if_empty(folder)


def checkpoints_of(run: Path) -> list[Path]:
    """Our checkpoints in ``run``, those cut off among them, by their steps; not `checkpoint-best`, say."""
    found = [folder for folder in run.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", folder.name)]
    return sorted((folder for folder in found if _is_ours(folder)), key=_step)


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    return is_checkpoint(folder) or any(folder.glob(_SAVING)) or not any(folder.iterdir())


def newest_whole_checkpoint(run: Path, say: Callable[[str], None]) -> Path | None:
    """The newest training checkpoint that can be read, None where there is none.

    Those whose saving was cut off are removed; those damaged since are named to ``say``, and left as they are.
    """
    remove(run, (_SAVING,))
    for folder in reversed(checkpoints_of(run)):
        if not (folder / COMPLETE).exists():
            remove_checkpoint(folder)
        elif problem := damage(folder):
            say(f"{folder} is damaged ({problem}) and is passed over; delete it to be rid of this message")
        else:
            return folder
    return None


def damage(folder: Path) -> str | None:
    """What is wrong with the files of a checkpoint, as far as that can be seen without reading them whole."""
    if missing := [name for name in WHOLE if not (folder / name).is_file()]:
        return f"{missing[0]} is missing"
    weights = sorted(folder.glob("*.safetensors"))
    path = folder
    try:
        for path in [*folder.glob("*.pt"), *folder.glob("*.pth")]:
            with zipfile.ZipFile(path):  # its table stands at the end
                pass
        for path in weights:
            with safe_open(path, "np"):
                pass
        path = folder / STATE
        _check_state(read_object(path), _step(folder))
        read_manifest(folder)
    except UserError as error:
        return str(error)
    except Exception as error:  # safetensors' own among them
        return f"{path.name}: {reason(error)}"
    return None if weights else "its weights are missing"


def _check_state(state: dict[str, Any], step: int) -> None:
    """Raise ValueError or TypeError where the Trainer could not go on from ``state``, saved at ``step``."""
    from transformers import TrainerState

    TrainerState(**state)
    if wrong := [name for name, hint in _STATE.items() if not fits(state.get(name), hint)]:
        raise TypeError(f"{wrong[0]} is {state.get(wrong[0])!r}")
    if state["global_step"] != step:
        raise ValueError(f"it is of step {state['global_step']}")


def rotate(run: Path, limit: int | None, best: str | None) -> None:
    """Remove the oldest checkpoints until ``limit`` are left; never the newest, nor the ``best`` one."""
    found = checkpoints_of(run)
    kept = {found[-1].name if found else "", Path(best or "").name}
    spare = [folder for folder in found if folder.name not in kept]
    for folder in spare[: max(0, len(found) - limit)] if limit and limit > 0 else ():
        remove_checkpoint(folder)


def clean_up(run: Path, keep_checkpoints: bool) -> None:
    """After a finished run: remove the tokenised examples, and optimizer and generator states, or the training
    checkpoints whole."""
    discard(run / TOKENISED)
    for folder in checkpoints_of(run):
        if keep_checkpoints:
            remove(folder, RESUME_FILES)
        else:
            remove_checkpoint(folder)
