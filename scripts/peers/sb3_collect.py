"""stable-baselines3's DQN collecting into its replay: 8 environments, MLP 64-64, epsilon 0.05, no gradient step."""
from peer import serve
from sb3 import cartpoles, learn_for
from stable_baselines3 import DQN

model = DQN(
    "MlpPolicy",
    cartpoles(8),
    buffer_size=100_000,
    learning_starts=0,
    train_freq=100,
    gradient_steps=0,
    exploration_initial_eps=0.05,
    exploration_final_eps=0.05,
    policy_kwargs={"net_arch": [64, 64]},
    device="cpu",
)
serve("DQN, 8 environments, no updates", learn_for(model))
