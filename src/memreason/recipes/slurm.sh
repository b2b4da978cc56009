#!/usr/bin/env bash
# sbatch src/memreason/recipes/slurm.sh --config llama-8b-eight-gpus --data_path path/to/agent/files --num_train_epochs 5
# Several nodes of eight GPUs as one run: whatever follows slurm.sh goes to `memreason train`. The run folder and the
# data must be on a disk that all nodes share. A step takes a batch from every GPU, so more nodes make larger batches:
# lower --per_device_train_batch_size to keep them. A run that was cut off (time limit, lost node) goes on when this is
# submitted again, with as many nodes. Not tried on a cluster yet.
#SBATCH --job-name=memreason
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=08:00:00
set -euo pipefail
MEMREASON_PYTHON=${MEMREASON_PYTHON:-python}     # the Python of the environment that memreason is installed in
FIRST_NODE=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}

srun "$MEMREASON_PYTHON" -m torch.distributed.run \
    --nnodes "$SLURM_NNODES" \
    --nproc_per_node "${SLURM_GPUS_ON_NODE:-8}" \
    --rdzv_id "$SLURM_JOB_ID" \
    --rdzv_backend c10d \
    --rdzv_endpoint "$FIRST_NODE:29500" \
    -m memreason train --resume "$@"
