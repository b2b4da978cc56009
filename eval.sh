#!/usr/bin/env bash
# The paper's evaluation command with its variables: the same ones as in train.sh find the checkpoint,
# and the checkpoint knows all the rest. Or name it: CHECKPOINT=runs/demo bash eval.sh
set -euo pipefail
DATASET=${DATASET:-stratgeqa_agent}
MODEL=${MODEL:-smollm2}
ADD_SOFT_PROMPT=${ADD_SOFT_PROMPT:-True}
N_PREFIX=${N_PREFIX:-2}
N_SPECIAL=${N_SPECIAL:-3}
EFFICIENT=${EFFICIENT:-lora+prompt-tuning}
STEP_TYPE=${STEP_TYPE:-memory}
LR=${LR:-2e-4}
CHECKPOINT=${CHECKPOINT:-checkpoints/$MODEL/$DATASET/step_type=$STEP_TYPE-$N_PREFIX-$N_SPECIAL-efficient=$EFFICIENT-lr=$LR-soft-prompt=$ADD_SOFT_PROMPT}

MEMREASON=$(dirname "$0")/.venv/bin/memreason
[ -x "$MEMREASON" ] || MEMREASON=memreason
exec "$MEMREASON" evaluate --model_name_or_path "$CHECKPOINT" "$@"
