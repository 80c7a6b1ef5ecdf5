"""A home whose executions ran tasks inside a program, opened by another one."""

import subprocess
import sys
import textwrap

from wingbeat import Kernel

PROGRAM = """
    import asyncio, os, sys
    from wingbeat import Kernel, task, workflow

    @task
    async def slow(n: int) -> int:
        if sys.argv[1] == "die":
            print("began", flush=True)
            await asyncio.sleep(60)
        return n

    @workflow
    def flow(n: int) -> int:
        return slow(n)

    async def main():
        async with Kernel(sys.argv[2], inline=[slow]) as kernel:
            execution = await kernel.launch(flow, {"n": 7}, name="inline")
            print(await execution.result(), flush=True)

    asyncio.run(main())
"""


async def test_an_inline_execution_waits_for_its_own_program(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, str(program)]
    with subprocess.Popen([*command, "die", str(tmp_path / "home")], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "began\n"
        first.kill()
    async with Kernel(tmp_path / "home") as kernel:
        assert [e.phase for e in await kernel.engine.executions()] == ["RUNNING"]
    again = subprocess.run([*command, "go on", str(tmp_path / "home")], capture_output=True, text=True, check=True)
    assert again.stdout == "7\n"
