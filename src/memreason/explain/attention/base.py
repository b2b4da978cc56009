"""What every method gives: how much each part of a text takes from each part before it, in files and pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memreason.errors import UserError
from memreason.explain.attention import figure
from memreason.explain.attention.shares import Shares, Span, most_mass
from memreason.records import MEMORY
from memreason.runtime.files import read_json, replace_file, write_json
from memreason.runtime.reading import reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Attribution(Shares):
    """`Shares` that can be saved and shown; every method gives one."""

    def to_json(self) -> dict[str, Any]:
        """What a report needs, in less than 2 KB for a trace of ten steps.

        - ``spans``: {"name", "type", "step"} of each, in the order of the text.
        - ``step_map``: a row for each span, with the shares of the spans up to itself (so row i has i + 1 numbers: what
          follows cannot be read); null where the method does not give the row.
        - ``mass``: kind of token → share.
        - ``heads``: {"layer", "head", "mass_on_memory"} of the heads that read memory tokens most.
        """
        rows = [
            None if np.isnan(row).any() else [round(float(share), 3) for share in row[: place + 1]]
            for place, row in enumerate(self.step_map)
        ]
        return {
            "method": self.method,
            "spans": [{"name": span.name, "type": span.type, "step": span.step} for span in self.spans],
            "step_map": rows,
            "mass": {kind: round(float(share), 4) for kind, share in self.mass.items()},
            "heads": _head_rows(self.heads()),
        }

    # ---- files -------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write everything into a ``.json`` or ``.npz`` file (smaller, for numpy). Raises UserError for other names."""
        path = Path(path)
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in fields.items() if name not in arrays}
        rest |= {"spans": [asdict(span) for span in self.spans], "mass": dict(self.mass)}
        if _kind(path) == ".json":
            lists = {name: _without_nan(array) for name, array in arrays.items()}
            write_json(path, rest | lists)
            return
        file = io.BytesIO()
        contents: dict[str, Any] = {"rest": json.dumps(rest, ensure_ascii=False), **arrays}
        np.savez_compressed(file, allow_pickle=False, **contents)
        replace_file(path, file.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Attribution:
        """Read what `save` wrote. Raises UserError where the file is another one."""
        path = Path(path)
        kind = _kind(path)
        with reading(str(path), "give a file that Attribution.save wrote"):
            if kind == ".json":
                fields = read_json(path)
                for name in ("step_map", "maps", "by_kind", "token_map"):
                    if fields[name] is not None:
                        fields[name] = np.array(fields[name], dtype=np.float32)
            else:
                with np.load(path, allow_pickle=False) as arrays:
                    fields = {name: arrays[name] for name in arrays.files if name != "rest"}
                    fields |= json.loads(str(arrays["rest"]))
            fields["spans"] = tuple(Span(**span) for span in fields["spans"])
            for name in ("tokens", "kinds", "layers", "head"):
                fields[name] = fields[name] if fields[name] is None else tuple(fields[name])
            return cls(**fields)

    # ---- pictures ----------------------------------------------------------------------------------

    def figure(self, path: str | Path, what: str | None = None) -> None:
        """Write a picture as ``.png``, ``.svg`` or ``.pdf``: ``what`` is `head` (tokens × tokens of one head), `steps`
        (steps × steps) or `heads` (layers × heads, by what they read of memory). By default, that of the head where
        there is one, or else of the steps. Raises UserError where this is not there to be drawn."""
        figure.save(self, Path(path), what)

    def show(self, what: str | None = None) -> Figure:
        """The picture as a figure of matplotlib, which a notebook shows. Raises UserError as `figure` does."""
        return figure.draw(self, what)


def summary(attributions: Sequence[Attribution]) -> dict[str, Any] | None:
    """Of many traces of one model: {"n", "mass", "heads"}, means over those that have the kind of token; None for no
    traces. ``heads`` are as in `Attribution.to_json`."""
    if not attributions:
        return None
    kinds = list(dict.fromkeys(kind for one in attributions for kind in one.mass))
    mass = {
        kind: round(float(np.mean([one.mass[kind] for one in attributions if kind in one.mass])), 4) for kind in kinds
    }
    heads: list[tuple[int, int, float]] = []
    with_memory = [one for one in attributions if MEMORY in one.mass and one.by_kind is not None]
    if with_memory:
        on_memory = [one.by_kind[..., list(one.mass).index(MEMORY)] for one in with_memory if one.by_kind is not None]
        heads = most_mass(np.mean(on_memory, axis=0), with_memory[0].layers)
    return {"n": len(attributions), "mass": mass, "heads": _head_rows(heads)}


def _head_rows(heads: Sequence[tuple[int, int, float]]) -> list[dict[str, Any]]:
    return [{"layer": layer, "head": head, "mass_on_memory": round(mass, 4)} for layer, head, mass in heads]


def _without_nan(array: np.ndarray) -> list[Any]:
    """Nested lists, with null in place of NaN, which is no JSON."""
    values = array.astype(object)
    values[np.isnan(array)] = None
    return values.tolist()


def _kind(path: Path) -> str:
    if path.suffix not in (".json", ".npz"):
        raise UserError(f"{path}: an attribution is a .json or an .npz file; name one of these")
    return path.suffix
