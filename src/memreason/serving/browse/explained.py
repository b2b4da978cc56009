"""What `memreason explain` found out about a run, as far as it is shown beside its traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memreason.runtime.disk_list import DiskList
from memreason.runtime.reading import read_object, reading

EXPLANATION = Path("explanation") / "explanation.json"
"""The file inside a run's folder."""


class Explanation:
    """An explanation.json; its traces lie on disk. Parts that are missing in it are missing here.

    Raises UserError where the file holds no such thing.
    """

    def __init__(self, path: Path):
        with reading(f"{path}: not an explanation", "delete it, and `memreason explain` makes it anew"):
            whole = read_object(path)
            traces = whole.pop("traces", None) or []
            self._places = {str(trace["id"]): place for place, trace in enumerate(traces)}
            self._changed: dict[str, set[str]] = {}
            for trace in traces:
                for name, edit in (trace.get("edits") or {}).items():
                    if edit.get("answer") != trace.get("answer"):
                        self._changed.setdefault(name, set()).add(str(trace["id"]))
            self._facts = {str(fact["fact"]): fact for fact in whole.get("facts") or []}
        self._traces: DiskList[dict[str, Any]] = DiskList(traces)
        self._whole = whole

    def __contains__(self, id_: object) -> bool:
        return id_ in self._places

    def trace(self, id_: str) -> dict[str, Any] | None:
        """What it says of the trace of one question: its steps as they were explained, edits, importance; or None."""
        return self._traces[self._places[id_]] if id_ in self._places else None

    def summary(self) -> dict[str, Any]:
        """{"sentences", "facts": worst first and without their traces, "interventions", "changed": intervention → in
        how many traces it changes the answer, "traces": how many}."""
        facts = [{name: value for name, value in fact.items() if name != "traces"} for fact in self._facts.values()]
        return {
            "sentences": self._whole.get("sentences") or [],
            "facts": facts,
            "interventions": self._whole.get("interventions") or {},
            "changed": {name: len(ids) for name, ids in self._changed.items()},
            "traces": len(self._places),
        }

    def changed(self, intervention: str) -> set[str]:
        """The ids of the questions whose answer an intervention changes."""
        return self._changed.get(intervention, set())

    def about(self, fact: str) -> set[str]:
        """The ids of the questions in whose traces a fact is recalled."""
        return set(map(str, self._facts[fact].get("traces") or [])) if fact in self._facts else set()
