"""An attribution is kept whole in files, and short in reports."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.attributed import long_attribution

from memreason.errors import UserError
from memreason.explain.attention.base import Attribution, summary


@pytest.mark.parametrize("name", ["one.json", "one.npz"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_saved_is_read_back(name: str, whole: bool, tmp_path: Path) -> None:
    kept = long_attribution(4, 6)
    if not whole:  # as a method without heads gives it, and only in one row
        step_map = np.full_like(kept.step_map, np.nan)
        step_map[-1] = 0.25
        kept = replace(kept, step_map=step_map, maps=None, by_kind=None, head=None, token_map=None, layers=())
    kept.save(tmp_path / name)
    read = Attribution.load(tmp_path / name)
    for field in Attribution.__dataclass_fields__:
        one, other = getattr(kept, field), getattr(read, field)
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other)
        else:
            assert one == other
    assert read.to_json() == kept.to_json()


def test_the_short_form_has_rows_up_to_their_own_span_and_is_small() -> None:
    short = long_attribution(8, 6).to_json()
    assert [len(row) for row in short["step_map"]] == [*range(1, 12)]
    assert short["spans"][2] == {"name": "step 1", "type": "reason", "step": 0}
    assert [head["mass_on_memory"] for head in short["heads"]] == sorted(
        (head["mass_on_memory"] for head in short["heads"]), reverse=True
    )
    assert len(json.dumps(short)) < 2000


def test_a_summary_is_the_mean_over_the_traces_that_have_the_kind() -> None:
    one = long_attribution(4, 6)
    other = replace(one, mass={"reason": 0.2}, by_kind=np.full((2, 3, 1), 0.2))
    found = summary([one, other])
    assert found is not None and found["n"] == 2
    assert found["mass"] == {"memory": 0.6, "reason": 0.3}
    assert found["heads"] == one.to_json()["heads"]
    assert summary([]) is None


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"one\.csv: an attribution is a \.json or an \.npz file"):
        long_attribution(1, 4).save(tmp_path / "one.csv")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match=r"other\.json.*Attribution\.save"):
        Attribution.load(tmp_path / "other.json")
    (tmp_path / "other.npz").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"other\.npz"):
        Attribution.load(tmp_path / "other.npz")
