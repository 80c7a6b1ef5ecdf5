"""Which files define something that can be registered, by their syntax."""

import textwrap

import pytest

from wingbeat.host.registrable import defining

DEFINING = {
    "a decorator": "from wingbeat import task\n@task\ndef f(n: int) -> int: return n",
    "one with options": "from wingbeat import workflow as flow\n@flow(timeout=3)\nasync def f(n: int) -> int: return n",
    "of the module": "import wingbeat as wb\n@wb.task(retries=3)\ndef f(n: int) -> int: return n",
    "all names": "from wingbeat import *\n@task\ndef f(n: int) -> int: return n",
    "a launch plan": "from wingbeat import LaunchPlan\nfrom flows import build\nnightly = LaunchPlan(build)",
    "a call": "from wingbeat import task\nfrom elsewhere import function\nmade: object = task(function)",
    "under a condition": "from wingbeat import task\nif 1:\n  try:\n    @task\n    def f(): ...\n  except OSError: ...",
    "in a loop": "from wingbeat import LaunchPlan\nimport flows\nfor c in 'ab':\n    globals()[c] = LaunchPlan(flows.build)",
    "another name": "from wingbeat import task\nmine = task\n@mine\ndef f(): ...",
    "options of the team": "from wingbeat import task\nmine = task(retries=3)\n@mine\ndef f(): ...",
    "a helper": "from lib.teams import team_task\n@team_task\ndef f(): ...",
    "a helper beside it": "from .lib import teams\n@teams.team_task('eta')\ndef f(): ...",
    "a helper's helper": "from lib import shared\nplan = shared.plan_of(1)",
    "no Python": "import wingbeat\ndef f(:",
}
OTHERS = {
    "a script": "from wingbeat import run\nfrom flows import build\nprint(run(build, n=1))",
    "a script that keeps what it gets": "from wingbeat import Kernel, run\nfrom flows import build\nresult = run(build, n=1)",
    "under main": (
        "from wingbeat import task\nif __name__ == '__main__':\n    @task\n    def f(): ...\n    made = task(f)\nelse:\n    pass"
    ),
    "a helper alone": "from wingbeat import task\ndef team_task(fn): return task(fn, retries=3)",
    "another project's": "from airflow import task\n# not of wingbeat\n@task\ndef f(): ...",
    "a test": "from wingbeat import task\ndef test_it():\n    @task\n    def f(): ...",
    "no Python of ours": "def f(:",
    "nothing": "",
}
PROJECT = {
    "flows.py": "from wingbeat import workflow\n@workflow\ndef build(n: int) -> int: return n",
    "src/lib/__init__.py": "",
    "src/lib/teams.py": "import functools\nfrom wingbeat import task\nteam_task = functools.partial(task, retries=3)",
    "lib/teams.py": "from wingbeat import task\ndef team_task(name): return task(cache=True)",
    "src/lib/shared.py": "from . import plans\ndef plan_of(n): return plans.made(n)",
    "src/lib/plans.py": "import flows\ndef made(n):\n    from wingbeat import LaunchPlan\n    return LaunchPlan(flows.build)",
}


@pytest.mark.parametrize("text", DEFINING.values(), ids=DEFINING)
def test_what_defines_something_is_taken(text):
    assert "one.py" in defining({**PROJECT, "one.py": textwrap.dedent(text)})


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_what_defines_nothing_is_not(text):
    assert defining({**PROJECT, "one.py": text}) == {"flows.py"}
