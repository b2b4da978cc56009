"""The `checkpoint-…` folders of a run: which of them a run can continue from, and which are removed.

Only files that training writes are ever removed.
"""

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
"""An empty file, written last into a training checkpoint. If it is missing, saving was interrupted."""
STATE = "trainer_state.json"
WHOLE = (COMPLETE, MANIFEST, STATE, "optimizer.pt", "scheduler.pt")
RESUME_FILES = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", "scaler.pt", COMPLETE)
"""Files that only a resumed run needs; removed when the run is finished."""
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")
MODEL_FILES = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json", "config.json",
               "generation_config.json")  # fmt: skip
_FILES = (*ADAPTER_FILES, *MODEL_FILES, *RESUME_FILES, MANIFEST, STATE, "config.yaml", "training_args.bin",
          "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model",
          "chat_template.jinja", "additional_chat_templates", ".saving.*")  # fmt: skip
"""Files that memreason, transformers and PEFT write into a checkpoint."""
_SAVING = ".saving.*"
_STATE = {"global_step": int, "epoch": float | None, "best_metric": float | None, "best_model_checkpoint": str | None,
          "log_history": list[dict[str, Any]] | None}  # fmt: skip
"""Fields of the Trainer's state that a resumed run reads → their types."""


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files and folders from ``folder`` whose name matches one of the patterns ``names``."""
    for name in names:
        for path in folder.glob(name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove_if_empty(folder: Path) -> None:
    """Remove ``folder`` if no file is left in it."""
    with suppress(OSError):
        folder.rmdir()


def remove_evaluation(folder: Path) -> None:
    """Remove the files that an evaluation wrote into ``folder``."""
    if folder.is_dir() and not folder.is_symlink():
        remove(folder, EVALUATION_FILES)
        remove_if_empty(folder)


def remove_checkpoint(folder: Path) -> None:
    """Remove the files that training wrote into a checkpoint, and its evaluations. Of a link, remove only the link."""
    if folder.is_symlink():
        folder.unlink()
        return
    for evaluation in folder.glob("evaluation*"):
        remove_evaluation(evaluation)
    remove(folder, _FILES)
    remove_if_empty(folder)


def checkpoints_of(run: Path) -> list[Path]:
    """The checkpoints that training wrote into ``run``, sorted by step, also those whose saving was interrupted.

    Folders of other names, such as `checkpoint-best`, are not among them.
    """
    numbered = [folder for folder in run.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", folder.name)]
    return sorted((folder for folder in numbered if _is_ours(folder)), key=_step)


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    return is_checkpoint(folder) or any(folder.glob(_SAVING)) or not any(folder.iterdir())


def newest_whole_checkpoint(run: Path, say: Callable[[str], None]) -> Path | None:
    """The newest training checkpoint that can be read; None where there is none.

    Checkpoints whose saving was interrupted are removed. Checkpoints that were damaged later stay as they are, and
    ``say`` gets a message about each.
    """
    remove(run, (_SAVING,))
    for folder in reversed(checkpoints_of(run)):
        if not (folder / COMPLETE).exists():
            remove_checkpoint(folder)
        elif problem := damage(folder):
            say(f"{folder} is damaged ({problem}) and is passed over; delete it to stop this message")
        else:
            return folder
    return None


def damage(folder: Path) -> str | None:
    """What is wrong with the files of a checkpoint, None for nothing; the files are not read whole."""
    if missing := [name for name in WHOLE if not (folder / name).is_file()]:
        return f"{missing[0]} is missing"
    weights = sorted(folder.glob("*.safetensors"))
    path = folder
    try:
        for path in [*folder.glob("*.pt"), *folder.glob("*.pth")]:
            with zipfile.ZipFile(path):  # reads the table at its end, so a file that was cut off fails
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
    """Raise ValueError or TypeError where the Trainer could not continue from ``state``, which must be of ``step``."""
    from transformers import TrainerState

    TrainerState(**state)
    if wrong := [name for name, hint in _STATE.items() if not fits(state.get(name), hint)]:
        raise TypeError(f"{wrong[0]} is {state.get(wrong[0])!r}")
    if state["global_step"] != step:
        raise ValueError(f"it is of step {state['global_step']}")


def rotate(run: Path, limit: int | None, best: str | None) -> None:
    """Remove the oldest checkpoints until ``limit`` are left, but never the newest or the ``best`` one."""
    checkpoints = checkpoints_of(run)
    kept = {checkpoints[-1].name if checkpoints else "", Path(best or "").name}
    spare = [folder for folder in checkpoints if folder.name not in kept]
    for folder in spare[: max(0, len(checkpoints) - limit)] if limit and limit > 0 else ():
        remove_checkpoint(folder)


def clean_up(run: Path, keep_checkpoints: bool) -> None:
    """Tidy the folder of a finished run.

    Removes the tokenised examples, and the training checkpoints; with ``keep_checkpoints``, of these only the states
    of the optimizer, the schedule and the random generators.
    """
    discard(run / TOKENISED)
    for folder in checkpoints_of(run):
        if keep_checkpoints:
            remove(folder, RESUME_FILES)
        else:
            remove_checkpoint(folder)
