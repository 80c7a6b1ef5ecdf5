"""What is registered while calls are tried out: nothing that takes a process, and nothing that waits for long."""

from wingbeat import FixedRate, LaunchPlan, approve, workflow


@workflow
def asks(n: int) -> int:
    """It waits for an answer."""
    return approve("go", n, timeout="1s")


hourly = LaunchPlan(asks, name="hourly", inputs={"n": 1}, trigger=FixedRate("1h"))
