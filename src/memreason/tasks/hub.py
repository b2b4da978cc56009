"""Rows of datasets on the Hugging Face hub, or in a local folder with the hub's layout, through `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.tasks.agent_json import SPLITS, Row, is_data

_PATIENCE = 5.0
"""Seconds to wait for any answer from the hub."""


def is_hub_layout(folder: Path) -> bool:
    """Whether `datasets` must read a folder: it holds Parquet files, or a folder data/ and no data files beside it."""
    if any(folder.rglob("*.parquet")):
        return True
    return (folder / "data").is_dir() and not any(map(is_data, folder.iterdir()))


def read_rows(path: str, configs: tuple[str, ...] = ()) -> Iterator[Row]:
    """The rows of all splits of the dataset ``path`` (hub id or local folder), of its ``configs`` one after another.

    Raises UserError where the dataset cannot be loaded.
    """
    for config in configs or (None,):
        place = f"{path}/{config}" if config else path
        for split, rows in load_splits(path, config).items():
            for index, row in enumerate(rows):
                yield f"{place}:{split}[{index}]", SPLITS.get(split, split), row


def load_splits(path: str, config: str | None) -> Any:
    """Split → rows of the dataset ``path`` (hub id or local folder). Raises UserError where it cannot be loaded."""
    import datasets

    try:
        with nullcontext() if Path(path).is_dir() else _offline_if_unreachable():
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
def _offline_if_unreachable() -> Iterator[None]:
    """Inside this context, only cached files are used if the hub does not answer a first request.

    Otherwise `datasets` would try to reach the hub for a long time for each file.
    """
    import datasets
    from huggingface_hub import constants, get_session

    offline = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if not any(offline):
        try:
            get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
        except Exception:  # the library behind the session decides which
            datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = offline


def _is_gated(error: BaseException | None) -> bool:
    """Whether the hub refused access to a gated dataset, by the chain of causes, since `datasets` wraps the error."""
    while error is not None:
        if type(error).__name__ == "GatedRepoError" or "gated dataset" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
