"""Draw docs/demo.svg, the picture in the README, from a run: python docs/picture.py runs/demo"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from memreason.cli.display import print_comparison, print_traces, varied
from memreason.evaluation.files import read_traces
from memreason.evaluation.results import RunResult, read_result

run = Path(sys.argv[1])
console = Console(record=True, width=88, file=io.StringIO())
print_traces(console, varied(read_traces(run / "evaluation" / "traces.jsonl"), 3), 3)
print_comparison(console, read_result(RunResult, run / "metrics.json"))
svg = console.export_svg(title="make demo")
svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # fonts from the network; any monospace one will do
Path(__file__).with_name("demo.svg").write_text(svg)
