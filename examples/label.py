"""Have agents write solutions, stop in the middle, go on, and look at them: python examples/label.py

Takes less than a minute, and needs no model and no account: the agents are played by the server that comes with
memreason. It answers by a script, and one time in five wrongly or not at all. It needs `pip install aiohttp`. For real
agents, leave the server out and give --base_url and the names of your models; the key is read from OPENAI_API_KEY.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from memreason.llm.fake_server import ScriptedServer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--num_questions", type=int, default=100)
parser.add_argument("--folder", default="runs/labelling", help="where solutions go")
arguments = parser.parse_args()


def memreason(*words: str) -> None:
    """Run a command as you would type it."""
    print("\n$ memreason", *words, flush=True)
    subprocess.run([sys.executable, "-m", "memreason", *words], check=True, env=os.environ | {"OPENAI_API_KEY": "none"})


folder = Path(arguments.folder)
folder.mkdir(parents=True, exist_ok=True)
output = folder / "atlas.jsonl"

with ScriptedServer(latency=0.02, faults=0.2, stall=1.0).running() as url:
    label = ["label", "--task", "atlas", "--planner", "scripted-model", "--base_url", url, "--output", str(output)]
    label += ["--price", "0,0", "--request_cache", str(folder / "requests.sqlite")]
    # 1. What would it cost? Nothing is sent.
    memreason(*label, "--num_questions", str(arguments.num_questions), "--dry_run")
    # 2. Label half of the questions. A killed run goes on in the same way: no reply is paid for twice.
    memreason(*label, "--num_questions", str(arguments.num_questions // 2))
    # 3. Go on with the rest.
    memreason(*label, "--num_questions", str(arguments.num_questions))

# 4. What came out, and what was rejected, and why.
memreason("label", "inspect", str(output), "--show", "2")
rejects = output.with_name("atlas.rejects.jsonl")
for line in rejects.read_text().splitlines() if rejects.exists() else ():
    row = json.loads(line)
    print("rejected:", row["id"], row.get("reason"))
# 5. `memreason train --dataset jsonl --data_path runs/labelling/atlas.jsonl` would train on them.
