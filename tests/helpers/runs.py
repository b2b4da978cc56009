"""What a small training run is made of."""

from pathlib import Path

from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.training.config import TrainingConfig


def options(base: Path, data: Path, run: Path, **more) -> tuple[ModelConfig, DataConfig, TrainingConfig]:
    model = {"model_name_or_path": str(base), "dtype": "float32", "lora_module": "all", "lora_r": 8}
    training = {
        "output_dir": str(run), "num_train_epochs": 2, "learning_rate": 1e-2, "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1, "disable_tqdm": True, "use_cpu": True,
    }  # fmt: skip
    names = {**ModelConfig.__dataclass_fields__}
    model |= {key: value for key, value in more.items() if key in names}
    data_names = DataConfig.__dataclass_fields__
    rest = {key: value for key, value in more.items() if key not in names and key not in data_names}
    return (
        ModelConfig(**model),
        DataConfig(
            "jsonl", str(data), **{"model_max_length": 96, **{k: v for k, v in more.items() if k in data_names}}
        ),
        TrainingConfig(**{**training, **rest}),
    )
