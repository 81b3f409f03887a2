"""stable-baselines3's PPO end to end with its defaults (2,048 steps, batch 64, 10 epochs, learning rate 3e-4, separate
tanh 64-64 networks) and 8 environments. Whole iterations only: stopped within a rollout it would not have learned from
that rollout."""
import time

from peer import serve
from sb3 import cartpoles
from stable_baselines3 import PPO

model = PPO("MlpPolicy", cartpoles(8), device="cpu")
iteration = model.n_steps * model.n_envs


def run(seconds):
    before, end = model.num_timesteps, time.perf_counter() + seconds
    while time.perf_counter() < end:
        model.learn(iteration, reset_num_timesteps=False)
    return model.num_timesteps - before


serve("PPO, 8 environments, defaults", run)
