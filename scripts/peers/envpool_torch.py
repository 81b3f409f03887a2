"""envpool and a greedy MLP 4-64-64-2 in torch, 64 rows a forward pass; its best over threads, sync and async.

Inference mode, one thread for torch, no copy between NumPy and torch: the strongest loop that one writes by hand.
"""
import os

import torch
from envpool_loops import Settings, fastest
from peer import serve
from torch import nn

ROWS = 64

torch.set_num_threads(1)
net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))


def act(_batch):
    return lambda observation, _: net(torch.from_numpy(observation)).argmax(1).to(torch.int32).numpy()


cores = range(1, len(os.sched_getaffinity(0)) + 1)
candidates = [Settings(envs, ROWS, threads) for envs in (ROWS, 2 * ROWS, 3 * ROWS) for threads in cores]
with torch.inference_mode():
    settings, run = fastest(candidates, act)
    serve(settings, run)
