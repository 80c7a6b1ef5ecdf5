"""A journal against lists and dictionaries: random calls, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from wingbeat.contracts.journal import Batch, Ended, FencedOut, Journal, Record, Row, Snapshot

_NAMES = ("a", "b", "c", "d")
_names = st.sampled_from(_NAMES)
_bodies = st.lists(st.binary(max_size=20), min_size=1, max_size=4)


class _Machine(RuleBasedStateMachine):
    """The journal, and beside it what it should hold."""

    def __init__(self, make: Callable[[], Journal]) -> None:
        super().__init__()
        self.make = make
        self.rows: dict[str, list[Row]] = {name: [] for name in _NAMES}
        self.records: dict[str, Record] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.runner = asyncio.Runner()

    @initialize()
    def open(self) -> None:
        self.journal = self.make()
        self.fence = self.call(self.journal.open("model"))

    def call(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    @rule(names=st.lists(_names, min_size=1, max_size=3, unique=True), bodies=_bodies, key=st.sampled_from(["", "k"]))
    def append(self, names: list[str], bodies: list[bytes], key: str) -> None:
        batch = Batch()
        for name in names:
            start = len(self.rows[name])
            new = [Row(name, start + i, body) for i, body in enumerate(bodies)]
            batch.rows += new
            self.rows[name] = self.rows[name] + new
            if name not in self.records:
                record = Record(name, "sha256:c", "m.w", b"i", key, float(len(self.records)), "RUNNING")
                batch.launches.append(record)
                self.records[name] = record
        self.call(self.journal.append(batch, self.fence))

    @rule(name=_names, phase=st.sampled_from(["SUCCEEDED", "FAILED", "RUNNING"]))
    def end(self, name: str, phase: str) -> None:
        if name in self.records:
            at = None if phase == "RUNNING" else 5.0
            row = Row(name, len(self.rows[name]), b"end")
            self.rows[name] = [*self.rows[name], row]
            self.records[name] = replace(self.records[name], phase=phase, ended_at=at)
            self.call(self.journal.append(Batch(rows=[row], phases=[Ended(name, phase, at)]), self.fence))

    @rule(name=_names, body=st.binary(max_size=20))
    def snapshot(self, name: str, body: bytes) -> None:
        if self.rows[name]:
            self.snapshots[name] = Snapshot(name, len(self.rows[name]) - 1, body)
            self.call(self.journal.snapshot(self.snapshots[name], self.fence))

    @rule(name=_names, before=st.integers(1, 3))
    def write_with_an_old_fence(self, name: str, before: int) -> None:
        batch = Batch(rows=[Row(name, len(self.rows[name]), b"old")])
        with pytest.raises(FencedOut):
            self.call(self.journal.append(batch, self.fence - before))

    @rule()
    def reopen(self) -> None:
        self.call(self.journal.close())
        before = self.fence
        self.open()
        assert self.fence > before

    @rule(name=_names, after=st.integers(-1, 5))
    def read(self, name: str, after: int) -> None:
        wanted = [row for row in self.rows[name] if row.sequence > after]
        assert self.call(self.journal.read(name, after)) == wanted

    @rule(live=st.sampled_from([None, True, False]), key=st.sampled_from([None, "", "k"]), limit=st.integers(1, 4))
    def list(self, live: bool | None, key: str | None, limit: int) -> None:
        wanted = [
            record
            for record in reversed(self.records.values())
            if live in (None, record.ended_at is None) and key in (None, record.launch_key)
        ]
        assert self.call(self.journal.records(live=live, launch_key=key, limit=limit)) == wanted[:limit]

    @invariant()
    def knows_each(self) -> None:
        if hasattr(self, "journal"):
            for name in _NAMES:
                assert self.call(self.journal.record(name)) == self.records.get(name)
                assert self.call(self.journal.latest(name)) == self.snapshots.get(name)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.call(self.journal.close())
        self.runner.close()


def run_model(places: Callable[[], Callable[[], Journal]], examples: int) -> None:
    """Compare a journal with lists over random calls; `places` gives, for each sequence, how journals of a new place are made."""

    class Machine(_Machine):
        def __init__(self) -> None:
            super().__init__(places())

    chosen = settings(
        max_examples=examples,
        stateful_step_count=15,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(Machine, settings=chosen)
