"""Run acceptance programs: each must end well and print, as its last line, one that begins with `ok`.

Usage: python tools/acceptance.py FOLDER [NUMBER ...]
"""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

LIMIT = 900.0  # seconds for one program


def run(program: Path) -> bool:
    """Run one program in a fresh working directory; print what matters and say whether it passed."""
    begin = time.monotonic()
    with TemporaryDirectory(prefix="wingbeat-acceptance-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, program],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            print(f"FAILED {program.name}: not done after {LIMIT:.0f} s\n{_text(error.stdout)}", flush=True)
            return False
    lines = done.stdout.rstrip().splitlines()
    passed = done.returncode == 0 and bool(lines) and lines[-1].startswith("ok")
    if passed:
        print(f"{lines[-1]} ({program.name}, {time.monotonic() - begin:.1f} s)", flush=True)
    else:
        print(f"FAILED {program.name}: exit status {done.returncode}\n{done.stdout}", flush=True)
    return passed


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def main(arguments: list[str]) -> int:
    """Run the programs named by folder and numbers and return the exit status."""
    if not arguments or not Path(arguments[0]).is_dir():
        print(f"not a folder of programs: {' '.join(arguments[:1]) or '(none given)'}", file=sys.stderr)
        return 2
    folder, numbers = Path(arguments[0]).resolve(), arguments[1:]
    programs = sorted(folder.glob("[0-9][0-9]_*.py"))
    if numbers:
        unknown = sorted(set(numbers) - {program.name[:2] for program in programs})
        if unknown:
            print(f"no such program in {folder}: {' '.join(unknown)}", file=sys.stderr)
            return 2
        programs = [program for program in programs if program.name[:2] in numbers]
    results = [run(program) for program in programs]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
