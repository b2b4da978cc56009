"""Rows of datasets on the Hugging Face hub, or in a local folder of its layout, through `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.tasks.agent_json import SPLITS, Row, is_data

_PATIENCE = 5.0
"""Seconds within which the hub must answer at all."""


def is_hub_layout(folder: Path) -> bool:
    """Whether a folder is for `datasets` to read: parquet files, or a data/ folder and no questions beside it."""
    if any(folder.rglob("*.parquet")):
        return True
    return (folder / "data").is_dir() and not any(map(is_data, folder.iterdir()))


def read_rows(path: str, configs: tuple[str, ...] = ()) -> Iterator[Row]:
    """Rows of every split of a dataset, by hub id or local folder, of several configs one after the other.

    Raises UserError where it cannot be loaded.
    """
    for config in configs or (None,):
        place = f"{path}/{config}" if config else path
        for split, rows in load_splits(path, config).items():
            for index, row in enumerate(rows):
                yield f"{place}:{split}[{index}]", SPLITS.get(split, split), row


def load_splits(path: str, config: str | None) -> Any:
    """Split → rows of a dataset, by hub id or local folder. Raises UserError where it cannot be loaded."""
    import datasets

    try:
        with nullcontext() if Path(path).is_dir() else _asked_once():
            loaded = datasets.load_dataset(path, config) if config else datasets.load_dataset(path)
    except Exception as error:
        if _is_gated(error):
            raise UserError(
                f"{path}: this dataset is gated; accept its terms at https://huggingface.co/datasets/{path} "
                "and set HF_TOKEN to a token of that account"
            ) from error
        if Path(path).is_dir():
            raise UserError(f"{path}: could not be read as a dataset folder ({_first_line(error)})") from error
        raise UserError(
            f"{path}: could not be loaded from the hub, and is no local folder ({_first_line(error)}); check the "
            "id and the network, set HF_TOKEN if it is private, or pass a local copy with --data_path"
        ) from error
    return loaded


@contextmanager
def _asked_once() -> Iterator[None]:
    """Within, only what is cached is looked for where the hub does not answer: else each file is tried for long."""
    import datasets
    from huggingface_hub import constants, get_session

    offline = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if not any(offline):
        try:
            get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
        except Exception:  # of whichever library the session is
            datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = offline


def _is_gated(error: BaseException | None) -> bool:
    """`datasets` wraps the hub's error, so the whole chain is looked at."""
    while error is not None:
        if type(error).__name__ == "GatedRepoError" or "gated dataset" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
