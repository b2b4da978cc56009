"""Every option, typed, documented and validated. Needs no torch.

The options of `memreason train` are `ModelConfig`, `AblationConfig`, `DataConfig` and `TrainingConfig` together.
`TrainingConfig` has all of Hugging Face's TrainingArguments and imports torch; it is therefore in `training/config.py`.
`cli/parser.py` reads all four from flags and recipes.
"""
