"""What the stable-baselines3 peers share: environments, and learning for a time.

`learn()` itself runs, stopped by a callback (about 1 us a step of the vector). One process: its DummyVecEnv is faster
than its SubprocVecEnv on an environment as cheap as CartPole. Gymnasium's per-step checker is off.
"""
import time

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

torch.set_num_threads(1)


def cartpoles(n):
    """`n` CartPole-v1 with stable-baselines3's Monitor, which records episodes as we do."""
    return make_vec_env("CartPole-v1", n_envs=n, env_kwargs={"disable_env_checker": True})


class Until(BaseCallback):
    """Stops `learn()` at a time."""

    def __init__(self, seconds):
        super().__init__()
        self.end = time.perf_counter() + seconds

    def _on_step(self):
        return time.perf_counter() < self.end


def learn_for(model):
    """A function `run(seconds) -> steps` that goes on learning where it stopped. Every step advances a simulator:
    the vector resets within the step that ends an episode."""

    def run(seconds):
        before = model.num_timesteps
        # The budget only has to be out of reach; exploration is constant, so no schedule depends on it.
        model.learn(10**9, callback=Until(seconds), reset_num_timesteps=False)
        return model.num_timesteps - before

    return run
