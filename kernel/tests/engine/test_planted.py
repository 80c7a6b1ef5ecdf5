"""Bugs that are planted in the engine are found by the virtual world: that it is quiet says something."""

import asyncio
import contextlib

import msgspec
import pytest

from wingbeat.contracts.executor import Failed
from wingbeat.contracts.journal import StorageFull
from wingbeat.engine import dispatch
from wingbeat.engine.dispatch import Dispatcher
from wingbeat.engine.engine import LocalEngine
from wingbeat.engine.live import Live
from wingbeat.engine.memo import Memo
from wingbeat.engine.pools import Pools
from wingbeat.machine.effect import SetTimer, Submit
from wingbeat.machine.step import Machine
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.invariants import Broken
from wingbeat.testing.virtual.catalog import SimCatalog
from wingbeat.testing.virtual.run import play

SEEDS_MAX = 300


def the_fence_is_not_checked(patch):
    async def append(self, batch, launching):
        await self._journal.append(batch, self._parts.journal.store.fence)

    patch.setattr(LocalEngine, "_append", append)


def attempts_are_submitted_before_they_are_durable(patch):
    patch.setattr(Submit, "asks", True)


def an_attempt_is_given_up_that_may_run(patch):
    async def again(self, request, error, tries):
        while tries < dispatch.TRIES_MAX:
            await asyncio.sleep(dispatch.TRY_DELAY_S * 2**tries)
            try:
                await self.executor.submit(request)
                return
            except OSError:
                tries += 1
        self._reports.ended(request.id, Failed(ErrorInfo("ExecutorFailed", "", "SYSTEM")))

    patch.setattr(Dispatcher, "_again", again)


def late_results_are_taken(patch):
    def current(self, address, number):
        node = self.state.seen(address)
        return node.open_attempt if node is not None else None

    patch.setattr(Machine, "current", current)


def a_foreign_entry_is_taken(patch):
    lookup = SimCatalog.lookup

    async def forged(self, key):
        found = await lookup(self, key)
        return None if found is None else msgspec.structs.replace(found, key=key)

    patch.setattr(SimCatalog, "lookup", forged)


def timers_are_forgotten_by_a_restart(patch):
    outstanding = Machine.outstanding
    patch.setattr(Machine, "outstanding", lambda self: [e for e in outstanding(self) if not isinstance(e, SetTimer)])


def nothing_is_cancelled(patch):
    patch.setattr(Dispatcher, "cancel", lambda self, attempt, reason: None)


def a_signal_is_acknowledged_before_it_is_durable(patch):
    def acknowledge(self, live, event):
        for done in live.signalled.pop(event.id, []):
            done.set_result("")

    patch.setattr(LocalEngine, "_acknowledge", acknowledge)


def what_is_not_durable_is_described(patch):
    patch.setattr(Live, "unsaved", False)


def a_kernel_goes_on_after_it_was_fenced_out(patch):
    stop, close = Dispatcher.stop, Dispatcher.close

    async def late(self):
        stop(self)
        await close(self)

    patch.setattr(Dispatcher, "stop", lambda self: None)
    patch.setattr(Dispatcher, "close", late)


def slots_are_forgotten_by_a_restart(patch):
    patch.setattr(Pools, "hold", lambda self, attempt, spec: self._pool_of.setdefault(attempt, spec.name))


def reservations_are_kept(patch):
    patch.setattr(Memo, "release", lambda self, live, node: None)


def a_full_disk_loses_a_batch(patch):
    async def lossy(self, batch, launching):
        try:
            await self._journal.append(batch, self._fence)
        except StorageFull:
            return
        self._archive.saved(batch.closures)

    patch.setattr(LocalEngine, "_append", lossy)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (the_fence_is_not_checked, ("I1", "I2", "I3")),
        (attempts_are_submitted_before_they_are_durable, ("I3",)),
        (an_attempt_is_given_up_that_may_run, ("I3",)),
        (late_results_are_taken, ("I3", "I4", "I6", "I9")),
        (a_foreign_entry_is_taken, ("I7",)),
        (timers_are_forgotten_by_a_restart, ("I1",)),
        (nothing_is_cancelled, ("I1", "I3")),
        (a_signal_is_acknowledged_before_it_is_durable, ("I12",)),
        (what_is_not_durable_is_described, ("I12",)),
        (a_kernel_goes_on_after_it_was_fenced_out, ("I3",)),
        (slots_are_forgotten_by_a_restart, ("I8",)),
        (reservations_are_kept, ("I11",)),
        (a_full_disk_loses_a_batch, ("I1", "I2", "I3", "I12")),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_planted_bug_is_found(plant, found, monkeypatch):
    plant(monkeypatch)
    for seed in range(SEEDS_MAX):
        with contextlib.suppress(Broken):
            play(seed)
            continue
        with pytest.raises(Broken) as told:  # the same again
            play(seed)
        assert str(told.value).split(":")[0] in found, str(told.value)
        return
    raise AssertionError(f"not found in {SEEDS_MAX} seeds")
