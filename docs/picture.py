"""Draw docs/demo.svg, the picture in the README, from a run: python docs/picture.py runs/demo"""

import io
import json
import sys
from pathlib import Path

from rich.console import Console

from memreason.show import print_comparison, print_traces, varied
from memreason.verdicts import read_traces

run = Path(sys.argv[1])
console = Console(record=True, width=96, file=io.StringIO())
print_traces(console, varied(read_traces(run / "evaluation" / "traces.jsonl"), 3), 3)
print_comparison(console, json.loads((run / "metrics.json").read_text()))
Path(__file__).with_name("demo.svg").write_text(console.export_svg(title="make demo"))
