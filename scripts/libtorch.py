#!/usr/bin/env python3
"""Puts libtorch where cargo looks for it: .libtorch in the clone. `make setup` runs this.

    scripts/libtorch.py            keep the libtorch that .libtorch names; without one, fetch the CPU build
    scripts/libtorch.py --cpu      the CPU build (544 MB to download, 0.5 GB on disk)
    scripts/libtorch.py --cuda     the CUDA 13 build (2.5 GB to download, 3.8 GB on disk)

The files come from PyTorch's Python wheels, which pip downloads and checks against the sha256 sums in
libtorch-cpu.txt and libtorch-cuda.txt. Python itself is only the tool here: any version from 3.6 will
do, and nothing is installed into it. Clones share one copy, in $XDG_CACHE_HOME/colony (~/.cache/colony);
.libtorch is a symbolic link to it. If all is in place, nothing is done and nothing is printed.
"""

import hashlib
import json
import os
import sys
import time

VERSION = "2.11.0"
# What the build needs, in MB: the download, and the peak on disk (pip holds every wheel twice for a while).
SIZES = {"cpu": (544, 1200), "cuda": (2512, 5600)}
GLIBC = (2, 28)
PIP = (20, 3)  # takes more than one --platform
MANIFEST = "manifest.json"
HEADERS = ("torch/include/torch/csrc/autograd/engine.h", "torch/include/torch/script.h")

HERE = os.path.dirname(os.path.abspath(__file__))
LINK = os.path.join(os.path.dirname(HERE), ".libtorch")


class Problem(Exception):
    """What is wrong, and what to do about it."""


def say(text):
    print("libtorch: " + text, flush=True)


def main(args):
    if args not in ([], ["--cpu"], ["--cuda"]):
        print(__doc__.strip())
        return 0 if args in (["-h"], ["--help"]) else 2
    own = os.environ.get("LIBTORCH")
    if own and not args and os.path.abspath(own) != os.path.join(LINK, "torch"):
        say("LIBTORCH is set, so %s is used and nothing is fetched" % own)
        return 0

    linked = os.path.realpath(LINK)
    if os.path.isdir(LINK) and not os.path.islink(LINK):
        raise Problem(LINK + " is a directory, not a link of ours: move it away, or set LIBTORCH to use it")
    if args:
        build = args[0][2:]
    else:
        build = "cuda" if os.path.islink(LINK) and linked.endswith("-cuda") else "cpu"
    tree = os.path.join(cache(), "libtorch-%s-%s" % (VERSION, build))

    if not intact(tree, build):
        fetch(tree, build)
    if linked != os.path.realpath(tree):
        link(tree, os.path.isdir(linked))
    return 0


def cache():
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "colony")


def pins(build):
    return os.path.join(HERE, "libtorch-%s.txt" % build)


def digest(build):
    with open(pins(build)) as file:
        lines = [line.strip() for line in file if not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def intact(tree, build):
    """Whether `tree` is what these pins unpack to: the same wheels, no library missing or cut short."""
    try:
        with open(os.path.join(tree, MANIFEST)) as file:
            manifest = json.load(file)
        same = all(os.path.getsize(os.path.join(tree, n)) == size for n, size in manifest["files"].items())
        return same and manifest["pins"] == digest(build) and version(tree) == VERSION
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def version(tree):
    """The version in `tree`, without its "+cu130"."""
    with open(os.path.join(tree, "torch", "version.py")) as file:
        for line in file:
            if line.startswith("__version__"):
                return line.split("'")[1].split("+")[0]
    raise ValueError("no version in torch/version.py")


def link(tree, replaces):
    """Points .libtorch at `tree`, in one step; `replaces`: it pointed at another one."""
    new = "%s.%d" % (LINK, os.getpid())
    os.symlink(tree, new)
    os.replace(new, LINK)
    if replaces:
        # Cargo compares dates: what was linked against the other tree is now out of date.
        os.utime(os.path.join(tree, "torch", "lib", "libtorch_cpu.so"))
    say(".libtorch -> " + tree)


def fetch(tree, build):
    import fcntl
    import glob
    import shutil

    check_machine()
    # What a user has set for other projects and would refuse these wheels.
    unwanted = ("PIP_NO_BINARY", "PIP_CONSTRAINT", "PIP_PLATFORM", "PIP_REQUIRE_VIRTUALENV")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    pip = check_pip(env)
    download, room = SIZES[build]
    try:
        os.makedirs(cache(), exist_ok=True)
        lock = open(tree + ".lock", "w")
    except OSError as error:
        raise Problem("cannot write to %s (%s): set XDG_CACHE_HOME to a directory that you can write to" % (cache(), error))

    # The system drops the lock of a run that dies, so whoever holds it may clear what is left of dead ones.
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another run is fetching it: waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in glob.glob(glob.escape(tree) + ".tmp*"):
            shutil.rmtree(left, ignore_errors=True)
        if intact(tree, build):
            return

        free = shutil.disk_usage(cache()).free // 10**6
        if free < room:
            raise Problem(
                "%s needs %d MB free for a while and has %d: make room, or set XDG_CACHE_HOME to another disk"
                % (cache(), room, free)
            )
        if os.path.lexists(tree):
            say("%s is of other wheels or damaged: fetching it again" % tree)
        say("downloading torch %s (%s build), %d MB, for %s" % (VERSION, build.upper(), download, tree))
        start = time.time()
        work = tree + ".tmp"
        try:
            os.makedirs(work + "/wheels")
            os.makedirs(work + "/tree")
            pip_download(pip, pins(build), work, env)
            say("unpacking, %d s so far" % (time.time() - start))
            unpack(work + "/wheels", work + "/tree", build)
            if os.path.lexists(tree):
                os.rename(tree, work + "/old")
            os.rename(work + "/tree", tree)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        say("%d MB in place after %d s" % (sum(sizes(tree)) // 10**6, time.time() - start))


def check_machine():
    import platform

    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in ("x86_64", "AMD64"):
        raise Problem(
            "there are wheels pinned for Linux on x86-64 only, and this is %s on %s: install libtorch %s "
            "yourself and set LIBTORCH to its directory (the one with include/ and lib/)" % (sys.platform, machine, VERSION)
        )
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION") or ""  # "glibc 2.36"
        new_enough = tuple(int(n) for n in found.split()[1].split(".")[:2]) >= GLIBC
    except (ValueError, IndexError, OSError):
        found, new_enough = "no glibc", False
    if not new_enough:
        raise Problem(
            "libtorch %s needs glibc %d.%d or newer, and this machine has %s: use a newer distribution"
            % ((VERSION,) + GLIBC + (found,))
        )


def check_pip(env):
    """The command that starts pip."""
    import subprocess

    command = [sys.executable, "-m", "pip"]
    asked = subprocess.run(command + ["--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
    if asked.returncode:
        raise Problem(
            "%s has no pip: install it (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip; "
            "elsewhere: python3 -m ensurepip --user)" % sys.executable
        )
    found = asked.stdout.decode().split()[1]
    if tuple(int(n) for n in found.split(".")[:2] if n.isdigit()) < PIP:
        raise Problem(
            "pip %s is too old, it must be %d.%d or newer: python3 -m pip install --user --upgrade pip" % ((found,) + PIP)
        )
    return command


def pip_download(command, requirements, work, env):
    """Runs pip with the tags of the pinned wheels spelled out, so that it does not matter which Python runs it."""
    import subprocess

    # torch is manylinux_2_28; what it needs is tagged as anything from 2_5 (manylinux1) on.
    command += ["download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", requirements, "-d", work + "/wheels"]
    command += ["--implementation", "cp", "--python-version", "312", "--abi", "cp312"]
    for minor in range(5, GLIBC[1] + 1):
        command += ["--platform", "manylinux_2_%d_x86_64" % minor]
    for old in ("manylinux2014", "manylinux2010", "manylinux1"):
        command += ["--platform", old + "_x86_64"]
    env = dict(env, TMPDIR=work)  # the system's /tmp may be small
    run = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    errors = []
    for line in run.stderr:
        sys.stderr.write(line.decode(errors="replace"))
        errors.append(line.decode(errors="replace"))
    if run.wait():
        raise Problem("pip could not download the wheels: " + advice("".join(errors)))


def advice(errors):
    if "No space left" in errors:
        return "the disk is full; make room, or set XDG_CACHE_HOME to a directory on another disk"
    if "DO NOT MATCH THE HASHES" in errors:
        return "a file is not the one that was pinned; try again, and see which index `python3 -m pip config list` names"
    if "No matching distribution" in errors or "onnection" in errors or "imed out" in errors:
        return (
            "its package index did not answer, or does not have them; check the network, HTTPS_PROXY, and the "
            "settings that `python3 -m pip config list` shows"
        )
    return "its message is above; mend that, and run this again"


def unpack(wheels, tree, build):
    import zipfile

    for name in sorted(os.listdir(wheels)):
        wheel = os.path.join(wheels, name)
        with zipfile.ZipFile(wheel) as file:
            file.extractall(tree, [n for n in file.namelist() if wanted(n, build)])
        os.remove(wheel)
    if build == "cpu":
        # The wheel's own libtorch.so, an empty library, wants libtorch_cuda.so.
        os.symlink("libtorch_cpu.so", os.path.join(tree, "torch", "lib", "libtorch.so"))
    if version(tree) != VERSION:
        raise Problem("the wheel holds torch %s, not %s: %s and this script disagree" % (version(tree), VERSION, pins(build)))

    manifest = {"pins": digest(build), "files": {}}
    for folder, _, names in os.walk(tree):
        for path in (os.path.relpath(os.path.join(folder, n), tree) for n in names):
            if ".so" in path or path in HEADERS:
                manifest["files"][path] = os.path.getsize(os.path.join(tree, path))
    with open(os.path.join(tree, MANIFEST), "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)


def wanted(name, build):
    """Whether a file of a wheel is unpacked: headers, libraries, licences, and what says which wheel it was."""
    if name.startswith("torch/include/") or name == "torch/version.py" or ".dist-info/" in name:
        return True
    library = name.rsplit("/", 1)[-1].split(".so")[0]
    if name.startswith("torch/lib/"):
        return build == "cuda" or library in ("libc10", "libgomp", "libtorch_cpu", "libtorch_global_deps")
    if name.startswith("nvidia/") and "/lib/" in name:
        return build == "cuda" or library in ("libcudart", "libcupti")
    return False


def sizes(tree):
    for folder, _, names in os.walk(tree):
        for name in names:
            if not os.path.islink(os.path.join(folder, name)):
                yield os.path.getsize(os.path.join(folder, name))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        sys.exit("libtorch: " + str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
