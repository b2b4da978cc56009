"""How threads wait is settled before torch is loaded, wherever memreason is imported first."""

import os
import subprocess
import sys

import pytest

from memreason.openmp import SETTINGS


def in_a_fresh_process(code: str, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


SHOW = f"import os; print(*[os.environ.get(name) for name in {list(SETTINGS)}])"


def test_importing_memreason_sets_it_and_loads_no_torch() -> None:
    code = f"import sys, memreason; {SHOW}; print('torch' in sys.modules)"
    assert in_a_fresh_process(code) == [*SETTINGS.values(), "False"]


def test_what_the_user_has_set_stays() -> None:
    assert in_a_fresh_process(f"import memreason; {SHOW}", OMP_WAIT_POLICY="ACTIVE")[0] == "ACTIVE"


@pytest.mark.slow
def test_after_torch_it_would_have_no_effect_and_is_left_alone() -> None:
    assert in_a_fresh_process(f"import torch, memreason; {SHOW}") == ["None"] * len(SETTINGS)
