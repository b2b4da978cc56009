"""What is wrong with a run's options is said before torch is imported."""

import pytest

from memreason.config.training import TrainingOptions
from memreason.errors import UserError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": -1e-4}, "--learning_rate -0.0001: must be at least 0"),
        ({"learning_rate": float("nan")}, "--learning_rate nan"),
        ({"learning_rate": float("inf")}, "--learning_rate inf"),
        ({"num_train_epochs": -1}, "--num_train_epochs -1: must be above 0"),
        ({"num_train_epochs": 0}, "nothing would be trained"),
        ({"max_steps": 0}, "--max_steps 0: nothing would be trained"),
        ({"per_device_train_batch_size": 0}, "--per_device_train_batch_size 0: must be at least 1"),
        ({"per_device_eval_batch_size": 0}, "--per_device_eval_batch_size 0"),
        ({"gradient_accumulation_steps": 0}, "--gradient_accumulation_steps 0"),
        ({"save_total_limit": 0}, "--save_total_limit 0"),
        ({"seed": -1}, "--seed -1"),
        ({"seed": 2**32}, "--seed 4294967296: must be below"),
        ({"eval_strategy": "epochs"}, "did you mean epoch"),
        ({"eval_strategy": "steps"}, "say --save_strategy steps too, or --load_best_model_at_end False"),
        ({"metric_for_best_model": "eval_ac"}, "must be one of eval_acc.*did you mean eval_acc"),
        ({"report_to": "tensorbord"}, "did you mean tensorboard"),
        ({"report_to": "comet_ml"}, "its package is not installed; run: pip install comet_ml"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingOptions(**options)


def test_what_goes_together_is_taken() -> None:
    TrainingOptions(eval_strategy="steps", save_strategy="steps")
    TrainingOptions(eval_strategy="steps", load_best_model_at_end=False)
    TrainingOptions(eval_strategy="no", save_strategy="steps")
    TrainingOptions(learning_rate=0, warmup_steps=0, metric_for_best_model=None, report_to=None)
