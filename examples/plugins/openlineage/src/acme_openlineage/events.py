"""One published event as one run event. Pure: nothing is remembered, nothing is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

import attrs
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import RunFacet, error_message_run, parent_run

from wingbeat.contracts.observer import Published

PRODUCER = "https://acme.example/wingbeat-openlineage"

_EXECUTION = {
    "RUNNING": RunState.START,
    "SUCCEEDED": RunState.COMPLETE,
    "FAILED": RunState.FAIL,
    "TIMED_OUT": RunState.FAIL,
    "ABORTED": RunState.ABORT,
}
_ATTEMPT = {
    "RUNNING": RunState.START,
    "SUCCEEDED": RunState.COMPLETE,
    "FAILED": RunState.FAIL,
    "RETRYABLE_FAILED": RunState.FAIL,
    "ABORTED": RunState.ABORT,
}
_NODE = {"SUCCEEDED": RunState.COMPLETE}
"""That its last attempt succeeded is told of the node."""
_STATES = {"execution": _EXECUTION, "attempt": _ATTEMPT, "node": _NODE}


@attrs.define
class WingbeatRunFacet(RunFacet):
    """What Wingbeat says of the event."""

    execution: str
    cursor: int
    kind: str
    phase: str
    node: str
    attempt: int
    reason: str

    @staticmethod
    def _get_schema() -> str:
        return f"{PRODUCER}/WingbeatRunFacet.json"


def run_id(*names: object) -> str:
    """The same for the same execution, node and attempt, whichever kernel tells of it."""
    return str(uuid5(NAMESPACE_URL, "/".join(map(str, (PRODUCER, *names)))))


def run_event(event: Published, namespace: str, task: str) -> RunEvent:
    """The run event; `task` is what its node calls, as far as it is known."""
    facets: dict[str, RunFacet] = {
        "wingbeat": WingbeatRunFacet(
            execution=event.execution,
            cursor=event.cursor,
            kind=event.kind,
            phase=event.phase,
            node=event.node,
            attempt=event.attempt,
            reason=event.reason,
        )
    }
    run, name = run_id(event.execution), event.execution
    if event.node:
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run), job=parent_run.Job(namespace=namespace, name=event.execution)
        )
        run, name = run_id(event.execution, event.node, event.attempt), task or event.node
    if event.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=str(event.error.get("message", "")), programmingLanguage="PYTHON"
        )
    return RunEvent(
        eventTime=datetime.fromtimestamp(event.at, UTC).isoformat(),
        eventType=_STATES.get(event.kind, {}).get(event.phase, RunState.OTHER),
        producer=PRODUCER,
        run=Run(runId=run, facets=facets),
        job=Job(namespace=namespace, name=name or "wingbeat"),
    )
