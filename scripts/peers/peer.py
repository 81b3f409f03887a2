"""How a peer talks to `experiments bench peers`.

A peer is a program that builds what it measures, says `ready` and then obeys lines of its standard input:

    <- ready 1024 environments, threads 1, sync
    -> run 5
    <- 1234567 5.0003 5.01

`run SECONDS` makes it work for at least that long; the answer is steps, seconds and CPU-seconds. Between two lines it
sleeps in `readline`; at the end of its input it ends. The bench takes time and CPU-seconds itself, in the same way
for both sides; those of the answer are for a person at a terminal:

    echo run 5 | target/peers/python scripts/peers/envpool_random.py

Steps are agent steps that advance a simulator: a call that only resets is none.
"""
import sys
import time


def serve(about, run):
    """`about`: the settings that were chosen; `run(seconds)` works and returns its steps."""
    print("ready", about, flush=True)
    while line := sys.stdin.readline():
        command, seconds = line.split()
        if command != "run":
            sys.exit(f"unknown command {command!r}: only `run SECONDS` is known")
        begun, cpu = time.perf_counter(), time.process_time()
        steps = run(float(seconds))
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        print(steps, f"{took:.4f} {cpu:.2f}", flush=True)
