"""Records `classic_rollouts.json`: whole episodes of Gymnasium's classic control, for tests of equality to the bit.

    pip install gymnasium==1.4.0 numpy==2.4.6
    python3 tests/golden/classic_rollouts.py > tests/golden/classic_rollouts.json

To be run where NumPy takes sine, cosine and powers of scalars from glibc 2.28 or later and the processor has fused multiply-add;
`libm_is_numpys` ends the recording elsewhere.
"""

import json
import math

import gymnasium
import numpy as np

EPISODES = {"Acrobot-v1": 64, "Pendulum-v1": 12, "MountainCar-v0": 8, "MountainCarContinuous-v0": 8, "CartPole-v1": 8}
EVERY = 100  # steps between two recorded states


def libm_is_numpys():
    rng = np.random.default_rng(0)
    return all(float(np.sin(x)) == math.sin(x) and float(np.cos(x)) == math.cos(x) for x in rng.uniform(-10, 10, 10000))


def policy(name, rng, state, noise):
    """Random actions, mixed with ones that bring energy into the system, so that episodes also end by themselves."""
    x, v = (state[0], state[1]) if len(state) == 2 else (state[2], state[3])
    random = rng.random() < noise
    if name == "Acrobot-v1":
        return int(rng.integers(3)) if random else (2 if v >= 0 else 0)
    if name == "MountainCar-v0":
        return int(rng.integers(3)) if random else (2 if v >= 0 else 0)
    if name == "CartPole-v1":
        return int(rng.integers(2)) if random else int(x + v > 0)
    limit = 2.5 if name == "Pendulum-v1" else 1.25  # beyond what is clipped
    return round(rng.uniform(-limit, limit) if random else math.copysign(limit * rng.random(), v), 4)


def rollout(env, name, seed):
    rng = np.random.default_rng(seed)
    noise = [1.0, 0.5, 0.1][seed % 3]
    env.reset(seed=seed)
    raw = env.unwrapped
    numbers = lambda: [float(v) for v in raw.state]
    out = {"start": numbers(), "actions": [], "at": []}
    total, ended = 0.0, False
    while not ended:
        action = policy(name, rng, numbers(), noise)
        out["actions"].append(action)
        given = action if isinstance(action, int) else np.array([action], dtype=np.float32)
        seen, reward, terminated, truncated, _ = env.step(given)
        total += float(reward)
        ended = terminated or truncated
        steps = len(out["actions"])
        if ended or steps % EVERY == 0:
            out["at"].append({"steps": steps, "state": numbers(), "obs": [float(v) for v in seen], "return": total})
    return out | {"terminated": int(terminated)}


def main():
    assert libm_is_numpys(), "NumPy computes sines by itself here"
    cases = []
    for name, episodes in EPISODES.items():
        env = gymnasium.make(name)
        cases.append({"env": name, "rollouts": [rollout(env, name, seed) for seed in range(episodes)]})
    doc = (
        "One case per environment. rollouts: whole episodes from `start` (internal state, float64) under `actions` (integers, or numbers "
        "to be rounded to float32), until the environment or its usual time limit ended them (`terminated`: which). at: after `steps` "
        "steps the internal state, the float32 observation and the sum of rewards in float64, added in order."
    )
    source = f"gymnasium {gymnasium.__version__}, numpy {np.__version__}: tests/golden/classic_rollouts.py"
    print(json.dumps({"topic": "classic_rollouts", "source": source, "doc": doc, "cases": cases}, separators=(",", ":")))


main()
