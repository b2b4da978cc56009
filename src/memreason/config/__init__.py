"""Every option, typed, documented and validated. Needs no torch.

The options of `memreason train` are `ModelConfig`, `AblationConfig`, `DataConfig` and `TrainingConfig` together. The
last, all of Hugging Face's TrainingArguments, imports torch, and so lives in `training/config.py`; `cli/parser.py`
reads them all from flags and recipes.
"""
