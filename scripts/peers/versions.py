"""Prints the versions of the packages in requirements.txt, or says which is missing."""
import pathlib
import platform
import sys
from importlib import metadata

names = [
    line.split("==")[0].strip()
    for line in (pathlib.Path(__file__).parent / "requirements.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]
try:
    found = [f"{name} {metadata.version(name)}" for name in names]
except metadata.PackageNotFoundError as missing:
    sys.exit(f"{sys.executable} has no {missing.name}")
print(f"Python {platform.python_version()}, " + ", ".join(found))
