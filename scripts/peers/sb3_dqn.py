"""stable-baselines3's DQN end to end: one environment, an update of batch 64 every 4 steps, MLP 64-64, epsilon 0.05; its
defaults otherwise (learning rate 1e-4, replay of 1e6, learning from step 100, target copied every 10,000 steps)."""
from peer import serve
from sb3 import cartpoles, learn_for
from stable_baselines3 import DQN

model = DQN(
    "MlpPolicy",
    cartpoles(1),
    batch_size=64,
    train_freq=4,
    gradient_steps=1,
    exploration_initial_eps=0.05,
    exploration_final_eps=0.05,
    policy_kwargs={"net_arch": [64, 64]},
    device="cpu",
)
serve("DQN, 1 environment, train_freq 4, batch 64", learn_for(model))
