"""An adapter's folder holds what PEFT needs, and says which servers take it."""

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from helpers.units import config, train_a_little

from memreason.cli.main import main
from memreason.errors import UserError
from memreason.export.adapter import export, servers
from memreason.export.config import ExportConfig
from memreason.models.build import build


@pytest.mark.slow
def test_plain_peft_loads_it_and_the_readme_runs(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unit = build(config(bases["padded"]), 128)
    train_a_little(unit)
    unit.save(tmp_path / "run")
    shutil.copytree(bases["padded"], "moved")
    with redirect_stdout(StringIO()) as page:
        options = ["--to", "adapter", "--base_model_name_or_path", "moved", "--json"]
        assert main(["export", "run", *options]) == 0
    result = json.loads(page.getvalue())
    assert result["folder"] == "run/adapter"
    assert result["checks"]["logits_apart_at_most"] <= 1e-4
    assert "vllm-project/vllm#36501" in " ".join(result["notes"])
    monkeypatch.chdir("run")
    assert "memreason.json" not in [path.name for path in Path("adapter").iterdir()]
    assert json.loads(Path("adapter/adapter_config.json").read_text())["base_model_name_or_path"] == str(
        tmp_path / "moved"
    )
    code = Path("adapter/README.md").read_text().split("```python\n")[1].split("```")[0]
    exec(compile(code, "README.md", "exec"), {})


def test_servers_take_lora_alone(bases: dict[str, Path]) -> None:
    manifest = build(config(bases["tied"]), 128).manifest
    plain = {"peft_type": "LORA", "r": 16, "trainable_token_indices": None}
    said = " ".join(servers(plain, replace(manifest, hub_id="owner/base"), "out"))
    assert "vllm serve owner/base --enable-lora --lora-modules out=out --max-lora-rank 16" in said
    assert "--to merged" in servers(plain | {"trainable_token_indices": {"embed_tokens": [5]}}, manifest, "out")[-1]
    assert "not tried" in servers({"peft_type": "PREFIX_TUNING"}, manifest, "out")[0]


def test_a_checkpoint_without_an_adapter_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    build(config(bases["tied"], "none"), 128).save(tmp_path)
    with pytest.raises(UserError, match="export --to merged"):
        export(ExportConfig(str(tmp_path), "adapter"))
