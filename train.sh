#!/usr/bin/env bash
# The paper's training command with its variables. Change them here or from outside:
#   DATASET=strategyqa DATA_PATH=path/to/agent/files LR=1e-4 bash train.sh --num_train_epochs 3
# Whatever follows train.sh goes to `memreason train` (see its --help).
set -euo pipefail
DATASET=${DATASET:-stratgeqa_agent}
MODEL=${MODEL:-smollm2}
ADD_SOFT_PROMPT=${ADD_SOFT_PROMPT:-True}
N_PREFIX=${N_PREFIX:-2}
N_SPECIAL=${N_SPECIAL:-3}
EFFICIENT=${EFFICIENT:-lora+prompt-tuning}
STEP_TYPE=${STEP_TYPE:-memory}
LR=${LR:-2e-4}
DATA_PATH=${DATA_PATH:-}        # a file or folder; empty: the hub's dataset
OUTPUT=${OUTPUT:-checkpoints/$MODEL/$DATASET/step_type=$STEP_TYPE-$N_PREFIX-$N_SPECIAL-efficient=$EFFICIENT-lr=$LR-soft-prompt=$ADD_SOFT_PROMPT}

MEMREASON=$(dirname "$0")/.venv/bin/memreason
[ -x "$MEMREASON" ] || MEMREASON=memreason
exec "$MEMREASON" train \
    --model_name_or_path "$MODEL" \
    --add_soft_prompts "$ADD_SOFT_PROMPT" \
    --num_general_prefix_tokens "$N_PREFIX" \
    --num_special_prefix_tokens "$N_SPECIAL" \
    --parameter_efficient_mode "$EFFICIENT" \
    --dataset "$DATASET" \
    ${DATA_PATH:+--data_path "$DATA_PATH"} \
    --output_dir "$OUTPUT" \
    --model_max_length 700 \
    --num_train_epochs 10 \
    --per_device_train_batch_size 4 \
    --gradient_accumulation_steps 4 \
    --evaluation_strategy "epoch" \
    --save_strategy "epoch" \
    --learning_rate "$LR" \
    --weight_decay 0. \
    --warmup_steps 0.1 \
    --lr_scheduler_type "cosine" \
    --optim "adamw_torch" \
    --extract_step_type_tokens "$STEP_TYPE" \
    --num_plan_types 5 \
    --num_test 100 \
    --lora_module mlp \
    "$@"
