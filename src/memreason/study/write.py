"""Writes the results of a study into its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

from memreason.runtime.files import atomic_write, write_json
from memreason.runtime.locks import try_lock
from memreason.study.cells import Cell
from memreason.study.folder import LOCKS, StudyFolder
from memreason.study.recipe import Recipe
from memreason.study.repeat import compared
from memreason.study.results import RESULTS, Finished, Json, results
from memreason.study.show import files
from memreason.study.times import TIMES, times


def write_results(recipe: Recipe, folder: StudyFolder, cells: Sequence[Cell]) -> Json | None:
    """Write results.json, times.json, tables, pictures and the report from the cells that are finished; return the
    results. None where another worker is writing them at this moment.

    Raises UserError as `results` does.
    """
    (folder.path / LOCKS).mkdir(parents=True, exist_ok=True)
    handle = os.open(folder.path / LOCKS / RESULTS, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if try_lock(handle) is False:
            return None
        found = results(Finished(folder, recipe, cells), compared(folder, cells))
        for name, text in files(found).items():
            with atomic_write(folder.path / name) as file:
                file.write(text)
        write_json(folder.path / TIMES, times(folder, cells))
        write_json(folder.path / RESULTS, found)
        return found
    finally:
        os.close(handle)
