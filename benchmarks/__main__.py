"""Run every benchmark of this folder, each in a process of its own: python benchmarks [NAME ...]."""

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all of them; the exit status is 1 if one failed."""
    programs = [
        program
        for program in sorted(Path(__file__).parent.glob("bench_*.py"))
        if not names or program.stem.removeprefix("bench_") in names
    ]
    if not programs:
        print("no such benchmark", file=sys.stderr)
        return 2
    failed = [program.name for program in programs if subprocess.run([sys.executable, program], check=False).returncode]
    for name in failed:
        print(f"FAILED {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
