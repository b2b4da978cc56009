"""The page without a model."""

import subprocess
import sys


def test_it_loads_nothing_that_only_a_model_needs() -> None:
    code = "import sys, memreason.serving.run; print({'torch', 'transformers'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
