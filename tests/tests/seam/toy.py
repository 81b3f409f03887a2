"""A foreign program in Python's standard library alone: steps toy environments through the words and the block of a sampler's
segment, as `rlcore/src/foreign.rs` describes. Its Rust twin is `tests/src/twin.rs`."""
import ctypes
import json
import mmap
import os
import platform
import socket
import sys
import time

FUTEX = {"x86_64": 202, "aarch64": 98}[platform.machine()]
WAIT, WAKE = 0, 1
FORMATS = {"f32": "f", "f64": "d", "i32": "i", "i64": "q", "u8": "B", "bool": "B"}
MESSAGE, STEP = 1, 2
TRUNCATES_EVERY = 7
libc = ctypes.CDLL(None, use_errno=True)


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Words:
    """The words of one structure, by name."""

    def __init__(self, memory, kind, index):
        first = kind["at"] + index * kind["stride"]
        widths = {4: ctypes.c_uint32, 8: ctypes.c_uint64}
        self.words = {
            w["name"]: widths[w["bytes"]].from_buffer(memory, first + w["offset"]) for w in kind["words"]
        }

    def get(self, name):
        return self.words[name].value

    def set(self, name, value):
        self.words[name].value = value

    def wait(self, name, old, parent):
        """Until `seq` is another than `old`; this program is the one waiter."""
        seq, limit = self.words[name + ".seq"], Timespec(0, 100_000_000)
        while seq.value == old:
            self.set(name + ".sleepers", 1)
            libc.syscall(
                ctypes.c_long(FUTEX), ctypes.byref(seq), ctypes.c_long(WAIT), ctypes.c_uint32(old),
                ctypes.byref(limit), None, ctypes.c_long(0),
            )
            self.set(name + ".sleepers", 0)
            if os.getppid() != parent:
                os._exit(1)
        return seq.value

    def post(self, name):
        seq = self.words[name + ".seq"]
        if platform.machine() != "x86_64":
            self.wake(seq)  # orders the stores before it
        seq.value = (seq.value + 1) & 0xFFFFFFFF
        self.wake(seq)

    @staticmethod
    def wake(seq):
        libc.syscall(ctypes.c_long(FUTEX), ctypes.byref(seq), ctypes.c_long(WAKE), ctypes.c_long(0x7FFFFFFF))


class Block:
    """Views of the leaves of one slot."""

    def __init__(self, memory, layout, at):
        self.columns = layout["spec"]["b"]
        self.parts = {}
        sizes = {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "u8": 1, "bool": 1}
        for part in layout["parts"]:
            leaves = []
            for leaf, offset in zip(part["leaves"], part["offsets"]):
                elements = 1
                for n in leaf["shape"]:
                    elements *= n
                length = part["rows"] * self.columns * elements * sizes[leaf["dtype"]]
                view = memoryview(memory)[at + offset : at + offset + length].cast(FORMATS[leaf["dtype"]])
                leaves.append((view, elements))
            self.parts[part["part"]] = leaves

    def cell(self, part, leaf, row, column):
        """The elements of one cell: a view, into which one writes."""
        view, elements = self.parts[part][leaf]
        at = (row * self.columns + column) * elements
        return view[at : at + elements]


class Toy:
    def __init__(self):
        self.draws = 0
        self.x = 0
        self.steps = 0
        self.over = True

    def seed(self, seed):
        self.draws = seed & 0xFFFFFFFF

    def reset(self):
        self.draws = (self.draws * 1664525 + 1013904223) & 0xFFFFFFFF
        self.x, self.steps, self.over = (self.draws >> 16) % 4, 0, False

    def step(self, action):
        if self.over:
            raise ValueError("stepped after the end")
        if action not in (0, 1, 2):
            raise ValueError(f"action {action}")
        self.x += action - 1
        self.steps += 1
        ended = self.x >= 6
        truncated = self.steps >= TRUNCATES_EVERY
        lost = self.x == -2
        self.over = ended or truncated
        return 0.25 * (self.x % 5), ended or lost, truncated, self.over

    def observe(self, block, part, row, column):
        position = block.cell(part, 0, row, column)
        position[0], position[1] = self.x / 8, self.steps / 16
        image = block.cell(part, 1, row, column)
        for i in range(3):
            image[i] = (self.x * 7 + self.steps * 3 + i) % 256


SPACES = {
    "observation": {"Dict": [
        ["position", {"Box": {"dtype": "f32", "shape": [2], "low": [-8.0], "high": [8.0]}}],
        ["image", {"Box": {"dtype": "u8", "shape": [3], "low": [0.0], "high": [255.0]}}],
    ]},
    "action": {"Discrete": {"n": 3}},
    "info": [{"spec": {"name": "steps", "dtype": "i64", "shape": []}, "log": "Last"}],
    "truncates_every": TRUNCATES_EVERY,
    "action_mask": None,
}


class Program:
    def __init__(self):
        self.lines = socket.socket(fileno=int(os.environ["COLONY_SOCKET"])).makefile("rwb")
        hello = self.read()
        self.parent = hello["parent"]
        self.settings = hello["settings"]
        self.first, end = hello["columns"]
        self.ranks = hello["env_ranks"]
        self.toys = []
        self.notes = []
        self.calls = 0
        self.error = ("nothing failed", 0)
        self.door = None
        if hello["segment"] is not None:
            manifest = hello["manifest"]
            self.memory = mmap.mmap(hello["segment"], manifest["bytes"])
            self.blocks = [
                Block(self.memory, manifest["block"]["layout"], at) for at in manifest["block"]["slots"]
            ]
            self.doors = [Words(self.memory, manifest["doors"], c) for c in range(self.first, end)]
            self.door = self.doors[0]
            self.asked = self.door.get("ask.seq")
        time.sleep(self.settings["start"])
        for column in range(end - self.first):
            self.tick(column)
            self.fault("make", column)
            self.toys.append(Toy())
        self.write({"spaces": SPACES})

    def fault(self, call, column):
        """Fails as the settings say: in this call, of this environment."""
        fault = self.settings.get("fault")
        if not fault or fault["call"] != call or fault["rank"] != self.ranks[column]:
            return
        if fault["how"] == "exit":
            os._exit(7)
        if fault["how"] == "raise":
            raise ValueError("the simulator is on fire")
        if fault["how"] == "hang":
            while os.getppid() == self.parent:
                libc.usleep(10_000)

    def read(self):
        line = self.lines.readline()
        if not line:
            os._exit(1)  # the other side is gone
        return json.loads(line)

    def write(self, answer):
        self.lines.write(json.dumps(answer).encode() + b"\n")
        self.lines.flush()

    def tick(self, column):
        self.calls += 1
        if self.door:
            self.door.set("progress", (self.calls << 24) | column)

    def run(self):
        while True:
            if self.door:
                self.asked = self.door.wait("ask", self.asked, self.parent)
                if self.door.get("op") == STEP:
                    self.step(self.door.get("slot"), self.door.get("row"), self.door.get("mode"))
                    continue
            order = self.read()
            try:
                answer = self.obey(order)
            except Exception as e:
                answer = {"error": str(e), "column": order.get("column", 0)}
            self.write(answer)
            if order["do"] == "close":
                return

    def obey(self, order):
        do, column = order["do"], order.get("column")
        if do == "reset":
            self.tick(column)
            self.fault("reset", column)
            toy = self.toys[column]
            if order["seed"] is not None:
                toy.seed(order["seed"])
            toy.reset()
            toy.observe(self.blocks[order["slot"]], "observation", order["row"], self.first + column)
            return {}
        if do == "save":
            states = [json.dumps([t.draws, t.x, t.steps, t.over]).encode().hex() for t in self.toys]
            # The last environment of rank 9 cannot save itself.
            return {"states": [None if rank == 9 else s for rank, s in zip(self.ranks, states)]}
        if do == "load":
            toy = self.toys[column]
            toy.draws, toy.x, toy.steps, toy.over = json.loads(bytes.fromhex(order["state"]))
            return {}
        if do == "notes":
            notes, self.notes = self.notes, []
            return {"notes": notes}
        if do == "error":
            return {"error": self.error[0], "column": self.error[1]}
        return {}

    def step(self, slot, t, waits):
        block = self.blocks[slot]
        failed = 0
        try:
            for column, toy in enumerate(self.toys):
                at = self.first + column
                if block.cell("flags", 3, t, at)[0]:
                    self.tick(column)
                    self.fault("step", column)
                    time.sleep(self.settings["slow"].get(str(self.ranks[column]), 0))
                    self.step_one(block, t, at, column, toy, waits)
        except Exception as e:
            failed, self.error = 1, (str(e), column)
        self.door.set("failed", failed)
        self.door.set("notes", len(self.notes))
        self.door.post("answer")

    def step_one(self, block, t, at, column, toy, waits):
        reward, terminated, truncated, reset = toy.step(block.cell("action", 0, t, at)[0])
        toy.observe(block, "observation", t + 1, at)
        block.cell("env_info", 0, t, at)[0] = toy.steps
        block.cell("reward", 0, t, at)[0] = reward
        for flag, value in enumerate([terminated, truncated, reset]):
            block.cell("flags", flag, t, at)[0] = value
        if truncated and not terminated:
            toy.observe(block, "final_observation", self.doors[column].get("final_used"), at)
        if reset:
            self.notes.append([column, f"{toy.steps} steps to {toy.x}"])
            if not waits:
                toy.reset()
                toy.observe(block, "observation", t + 1, at)


if __name__ == "__main__":
    Program().run()
    sys.stdout.flush()
