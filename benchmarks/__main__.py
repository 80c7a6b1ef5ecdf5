"""Run every benchmark of this folder, each in a process of its own, and print one table.

python -m benchmarks [NAME ...] [-o json [--file FILE]]
"""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

import msgspec
from benchmarks.harness import CACHE, ROOT, Line, table


def load() -> str:
    """How busy the machine is."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def run(program: Path) -> list[Line] | None:
    """The lines of one benchmark; None if it failed, and then its errors were printed."""
    command = [sys.executable, "-m", f"benchmarks.{program.stem}", "--json"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, cwd=ROOT)
    return None if done.returncode else msgspec.json.decode(done.stdout, type=list[Line])


def main() -> int:
    """The exit status is 1 if a benchmark failed to run; a goal that is not met is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Wingbeat beside raw limits.")
    parser.add_argument("names", nargs="*", help="benchmarks to run; all by default")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table", help="json also writes a file")
    parser.add_argument("--file", type=Path, default=CACHE / "benchmarks.json", help="where -o json writes to")
    asked = parser.parse_args()
    programs = [
        program
        for program in sorted(Path(__file__).parent.glob("bench_*.py"))
        if not asked.names or program.stem.removeprefix("bench_") in asked.names
    ]
    if not programs:
        print("no such benchmark", file=sys.stderr)
        return 2
    lines, failed, before = [], [], load()
    for program in programs:
        print(f"{program.stem} …", file=sys.stderr, flush=True)
        found = run(program)
        lines += found or []
        if found is None:
            failed.append(program.stem)
    print(table(lines))
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} cores, load {before} before and {load()} after.")
    met = sum(line.met is True or line.cpu_met is True for line in lines)
    print(f"{met} of {sum(line.met is not None for line in lines)} goals are met, on an idle machine by CPU time.")
    if asked.output == "json":
        asked.file.parent.mkdir(parents=True, exist_ok=True)
        asked.file.write_bytes(msgspec.json.format(msgspec.json.encode(lines)))
        print(f"Written to {asked.file}.")
    for name in failed:
        print(f"FAILED {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
