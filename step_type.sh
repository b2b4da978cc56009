#!/usr/bin/env bash
# The planning-token paper's command that infers step types, with its variables. Change them here or from outside:
#   DATASET=gsm8k DATA_PATH=path/to/gsm8k STEP_TYPE=k-means NUM_TYPES=5 bash step_type.sh --num_train 500
# Whatever follows step_type.sh goes to `memreason step-types fit` (see its --help). Then train with them:
#   DATASET=gsm8k DATA_PATH=path/to/gsm8k STEP_TYPE=k-means bash train.sh --num_plan_types 5
set -euo pipefail
DATASET=${DATASET:-gsm8k}
MODEL=${MODEL:-smollm2}
STEP_TYPE=${STEP_TYPE:-vae}     # +-*/, tf-idf, k-means, balanced-k-means, vae, vae-contrastive, vae-next-step
NUM_TYPES=${NUM_TYPES:-5}
BATCH_SIZE=${BATCH_SIZE:-8}
TRAIN_EPOCH=${TRAIN_EPOCH:-50}
DATA_PATH=${DATA_PATH:-}        # a file or folder; empty: the hub's dataset

MEMREASON=$(dirname "$0")/.venv/bin/memreason
[ -x "$MEMREASON" ] || MEMREASON=memreason
exec "$MEMREASON" step-types fit \
    --model_name_or_path "$MODEL" \
    --batch_size "$BATCH_SIZE" \
    --dataset "$DATASET" \
    ${DATA_PATH:+--data_path "$DATA_PATH"} \
    --selection_method "$STEP_TYPE" \
    --num_types "$NUM_TYPES" \
    --train_epoch "$TRAIN_EPOCH" \
    --model_max_length 700 \
    "$@"
