"""@title@

Needs PyTorch alone. The weights lie beside this file, in @weights@.

    from policy import Policy
    policy = Policy()
    policy.start()                      # at the start of each episode
    action = policy.act(observation)    # and again with the next observation

Made by `experiments export`. Actions are the most likely ones, as in an evaluation.
"""
import json
import pathlib
import struct

import torch
import torch.nn.functional as F
from torch import nn

WEIGHTS = pathlib.Path(__file__).with_name("@weights@")

# Name, type and shape of each leaf of an observation.
LEAVES = [
@leaves@
]


@helpers@@net@

def read_safetensors(path):
    """The tensors of a safetensors file by name: a length, a JSON header, then the values."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    values = data[8 + length:]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensor = torch.frombuffer(bytearray(values[begin:end]), dtype=torch.float32)
            tensors[name] = tensor.reshape(entry["shape"])
    return tensors


class Policy:
    """Acts on one observation after the other."""

    def __init__(self, weights=WEIGHTS):
        self.net = Net()
        self.net.load_state_dict(read_safetensors(weights))
        self.net.eval()
        self.start()

    def start(self):
        """Begins an episode: forgets what the network remembers."""
@start@

    @torch.no_grad()
    def output(self, observation, reward=0.0):
        """What the network says of an observation: see `act`."""
        if isinstance(observation, dict):
            observation = [observation[name] for name, _, _ in LEAVES]
        elif len(LEAVES) == 1:
            observation = [observation]
        leaves = [
            torch.as_tensor(leaf, dtype=dtype).reshape(1, *shape)
            for leaf, (_, dtype, shape) in zip(observation, LEAVES)
        ]
@output@

    def act(self, observation, reward=0.0):
        """The action for one observation: an array, or a list or dict of the arrays in LEAVES.

        `reward` followed the last action; only a network with a memory wants to know it.
        """
        output = self.output(observation, reward)
@act@
