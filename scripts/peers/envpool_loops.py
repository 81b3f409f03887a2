"""CartPole in envpool, sync or async, and the search for its fastest settings.

A finished environment is reset by the next `step`, which then does not advance it and gives reward 0; every real step
gives 1, so the steps that count are those with a reward (a count costs 0.2 us a batch).
"""
import time
from dataclasses import dataclass

import envpool
import numpy as np

TRIALS = 5
TRIAL_SECONDS = 0.15


@dataclass
class Settings:
    """`batch` rows are stepped at once, of `envs` environments; async where there are more environments than rows."""

    envs: int
    batch: int
    threads: int

    def __str__(self):
        mode = "sync" if self.envs == self.batch else f"async, {self.batch} at once"
        return f"{self.envs} environments, threads {self.threads}, {mode}"


def loop(settings, act):
    """A function `run(seconds) -> steps`; `act(observation, k)` gives the int32 actions of the k-th batch."""
    envs = envpool.make(
        "CartPole-v1",
        env_type="gymnasium",
        num_envs=settings.envs,
        batch_size=settings.batch,
        num_threads=settings.threads,
    )
    if settings.envs == settings.batch:
        return _sync(envs, act)
    return _async(envs, act)


def _sync(envs, act):
    observation, _ = envs.reset()

    def run(seconds):
        nonlocal observation
        steps, k, end = 0, 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            observation, reward, _, _, _ = envs.step(act(observation, k))
            steps += np.count_nonzero(reward)
            k += 1
        return steps

    return run


def _async(envs, act):
    envs.async_reset()

    def run(seconds):
        steps, k, end = 0, 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            observation, reward, _, _, info = envs.recv()
            envs.send(act(observation, k), info["env_id"])
            steps += np.count_nonzero(reward)
            k += 1
        return steps

    return run


def fastest(candidates, make_act):
    """The settings with the fastest single trial, and their loop. Candidates take turns, so that a moment in which the
    machine has other work to do hurts no one of them."""
    loops = [(settings, loop(settings, make_act(settings.batch))) for settings in candidates]
    best = (0.0, None, None)
    for _ in range(TRIALS):
        for settings, run in loops:
            begun = time.perf_counter()
            rate = run(TRIAL_SECONDS) / (time.perf_counter() - begun)
            best = max(best, (rate, settings, run), key=lambda b: b[0])
    return best[1], best[2]
