"""What the runtime brings along: it is forked with every attempt, and runs in environments that have nothing else."""

import subprocess
import sys


def test_the_runtime_imports_the_standard_library_and_msgspec_only_and_no_event_loop():
    code = (
        "import sys\nbefore = set(sys.modules)\nimport wingbeat.runtime.parent, wingbeat.runtime.attempt\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(roots - set(sys.stdlib_module_names) - {'wingbeat', 'msgspec', 'typing_extensions'}))\n"
        "print('asyncio' in sys.modules, 'pluggy' in sys.modules, 'ssl' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse False False\n"
