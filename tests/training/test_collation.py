"""Batches: nothing real is masked."""

import torch

from memreason.planning_tokens.layout import IGNORE
from memreason.training.collation import collate


def test_padding_is_masked_by_length_even_where_the_pad_id_is_a_real_token() -> None:
    real_pad = 7
    examples = [
        {"input_ids": [7, 7, 3], "labels": [IGNORE, 7, 3]},
        {"input_ids": [1, 2, 3, 7, 7], "labels": [IGNORE, 2, 3, 7, 7]},
    ]
    batch = collate(examples, real_pad)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["input_ids"].tolist() == [[7, 7, 3, 7, 7], [1, 2, 3, 7, 7]]
    assert batch["labels"].tolist() == [[IGNORE, 7, 3, IGNORE, IGNORE], [IGNORE, 2, 3, 7, 7]]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())
