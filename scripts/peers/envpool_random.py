"""envpool with random actions, drawn beforehand; its best over rows, threads, sync and async."""
import os

import numpy as np
from envpool_loops import Settings, fastest
from peer import serve


def act(batch):
    table = np.random.default_rng(0).integers(0, 2, (64, batch)).astype(np.int32)
    return lambda _, k: table[k % len(table)]


cores = range(1, len(os.sched_getaffinity(0)) + 1)
candidates = [
    Settings(envs, batch, threads)
    for batch in (64, 256, 1024, 4096)
    for envs in (batch, 2 * batch)
    for threads in cores
]
settings, run = fastest(candidates, act)
serve(settings, run)
