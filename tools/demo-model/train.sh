#!/bin/sh
# Trains on the CPU (one thread: about 75 s an epoch on an idle core). Needs train.extxyz and valid.extxyz of generate.py.
# The result is demo-wn_stagetwo.model; shrink.py makes the small file of it.
export OMP_NUM_THREADS=1 TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1
exec mace_run_train --name demo-wn --train_file train.extxyz --valid_file valid.extxyz --energy_key REF_energy --forces_key REF_forces \
    --E0s average --model ScaleShiftMACE --hidden_irreps "16x0e + 16x1o" --r_max 4.5 --num_radial_basis 8 --max_ell 3 --correlation 3 --num_interactions 2 \
    --interaction_first RealAgnosticDensityInteractionBlock --interaction RealAgnosticDensityResidualInteractionBlock --distance_transform Agnesi --pair_repulsion \
    --loss weighted --energy_weight 20 --forces_weight 10 --lr 0.01 --scheduler ExponentialLR --lr_scheduler_gamma 0.96 --amsgrad --ema --ema_decay 0.995 \
    --swa --start_swa 40 --swa_lr 0.0007 --swa_energy_weight 1000 --swa_forces_weight 10 --max_num_epochs 60 \
    --batch_size 4 --valid_batch_size 8 --eval_interval 2 --error_table PerAtomRMSE --default_dtype float32 --device cpu --seed 3 --plot False --save_cpu
