"""What test_distributed.py lets two processes do: `torchrun --nproc_per_node 2 tests/helpers/processes_job.py FOLDER`.

Trains a run for each case in FOLDER/cases.json, first with whole models (ddp), then with sharded ones (fsdp),
as the recipe for that says.
"""

import json
import sys
from pathlib import Path

import torch
import yaml
from helpers.runs import options
from torch.distributed.fsdp import FSDPModule

from memreason.config.ablations import AblationConfig
from memreason.config.recipes import RECIPES
from memreason.runtime import distributed
from memreason.training.train import train
from memreason.training.trainer import GenerationTrainer

RECIPE = RECIPES / "llama-8b-eight-gpus-sharded.yaml"
held: dict[str, object] = {}


class Watched(GenerationTrainer):
    """Notes what is held where while training."""

    def training_step(self, model, inputs, *rest):
        loss = super().training_step(model, inputs, *rest)
        held["layers"] = sum(isinstance(module, FSDPModule) for module in model.modules())
        held["weights"] = sum(
            p.to_local().numel() if hasattr(p, "to_local") else p.numel() for p in model.parameters() if p.numel()
        )
        held["draws"] = torch.random.get_rng_state().sum().item()
        return loss


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    sys.modules["memreason.training.train"].GenerationTrainer = Watched
    cases = json.loads((folder / "cases.json").read_text())
    recipe = yaml.safe_load(RECIPE.read_text())
    notes = {}
    for kind in ("ddp", "fsdp"):
        for name, case in cases.items():
            ablations = AblationConfig(**case.get("ablations", {}))
            more = {**case["options"], "gradient_accumulation_steps": 2}
            if kind == "fsdp":
                more |= {"fsdp": True, "fsdp_config": dict(recipe["fsdp_config"])}
            run = folder / kind / name
            train(*options(Path(case["base"]), Path(case["data"]), run, **more), ablations)
            notes[f"{kind}/{name}"] = distributed.gather(dict(held))
    if distributed.is_main():
        (folder / "held.json").write_text(json.dumps(notes))
    distributed.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
