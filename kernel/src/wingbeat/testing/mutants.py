"""Bugs that are planted into the machine or around it, each of which the simulation has to find: the proof of the proof."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from wingbeat.machine import attempts, bodies, branches, fold, gates, maps, restart, scopes
from wingbeat.machine.effect import Cancel
from wingbeat.machine.event import Signalled
from wingbeat.machine.fact import AttemptLost, NodeSucceeded, Turned
from wingbeat.machine.state import PHASES, MapState
from wingbeat.machine.step import Machine
from wingbeat.spec.chosen import choose as choose_options
from wingbeat.spec.formulas import Known
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.spec.plan import MapKind
from wingbeat.testing.simulation import World

Plant = Callable[[], contextlib.AbstractContextManager[Any]]


def _no_fence() -> Any:
    return patch.object(World, "fenced", False)


def _effects_before_the_commit() -> Any:
    return patch.object(World, "early", True)


def _late_results_count() -> Any:
    def current(self: Machine, address: int, number: int) -> Any:
        node = self.state.seen(address)
        return node.open_attempt if node is not None else None

    return patch.object(Machine, "_current", current)


def _one_retry_too_many() -> Any:
    real = attempts.retry_delay_s

    def delay(retry: Any, node: Any, error: Any, draw: float) -> float | None:
        node.user_failures -= 1
        try:
            return real(retry, node, error, draw)
        finally:
            node.user_failures += 1

    return patch.object(attempts, "retry_delay_s", delay)


def _system_failures_are_the_users() -> Any:
    real = fold._APPLY[AttemptLost]  # noqa: SLF001

    def lost(graph: Any, state: Any, fact: Any) -> None:
        real(graph, state, fact)
        node = state.seen(fact.node)
        if fact.system and node is not None:
            node.user_failures += 1

    return patch.dict(fold._APPLY, {AttemptLost: lost})  # noqa: SLF001


def _formulas_know_of_no_failure() -> Any:
    def choose(m: Machine, address: int, task: Any, error: Any, names: Any, more: int = 0) -> Any:
        return (
            choose_options(task, Known(m.values(address), task.interface, 0, error), names) if task.formulas else None
        )

    return patch.object(attempts, "_choose", choose)


def _failed_nodes_count_as_done() -> Any:
    real = fold._end  # noqa: SLF001

    def end(graph: Any, state: Any, address: int, phase: Any, at: float, error: Any) -> None:
        real(graph, state, address, phase, at, error)
        if address in range(len(state.nodes)):
            base = graph.base_of(address)
            for downstream in graph.nodes[address].downstream:
                state.waits[base + downstream] -= 1

    return patch.object(fold, "_end", end)


def _maps_do_not_wait_for_their_items() -> Any:
    real = maps.item_ended

    def ended(m: Machine, number: int, at: float) -> None:
        mapping, kind = m.state.maps[number], m.graph.nodes[number].kind
        if isinstance(kind, MapKind) and mapping.live and kind.spec.needed(mapping.total) <= mapping.succeeded:
            m.say(NodeSucceeded(number, at, {}))
            m.succeeded(number, at)
        else:
            real(m, number, at)

    return patch.object(maps, "item_ended", ended)


def _items_do_not_wait_for_what_feeds_them() -> Any:
    return patch.object(maps, "_has", lambda m, number, item: True)


def _maps_that_nothing_feeds_any_more_go_on() -> Any:
    return patch.object(maps, "feeder_lost", lambda m, number, at: None)


def _items_that_were_fed_are_forgotten() -> Any:
    real = maps.go_on

    def go_on(m: Machine, number: int, lost: str, at: float) -> None:
        m.due[number] = deque()
        real(m, number, lost, at)

    return patch.object(maps, "go_on", go_on)


def _failed_items_are_not_counted() -> Any:
    real = fold._compact  # noqa: SLF001

    def compact(state: Any, mapping: MapState, address: int, node: Any, hit: bool) -> None:
        real(state, mapping, address, node, hit)
        mapping.failed = 0

    return patch.object(fold, "_compact", compact)


def _concurrency_is_off_by_one() -> Any:
    return patch.object(MapState, "active", property(lambda self: len(self.live) + len(self.retrying) - 1))


def _skipped_arms_run() -> Any:
    real = branches.start

    def start(m: Machine, number: int, kind: Any, at: float) -> None:
        real(m, number, kind, at)
        base = m.graph.base_of(number)
        for i in kind.inside[0]:
            if m.state.nodes[base + i].phase is NodePhase.SKIPPED and m.graph.nodes[base + i].kind is None:
                m.state.nodes[base + i].phase = NodePhase.NOT_STARTED
                m.start([base + i], at)

    return patch.object(branches, "start", start)


def _aborts_forget_bodies_that_wait() -> Any:
    real = bodies.stop

    def stop(m: Machine, address: int, cause: str, reason: str, at: float) -> None:
        if m.state.bodies[address].suspended:
            m.end(address, NodePhase.ABORTED, None, at, reason)
        else:
            real(m, address, cause, reason, at)

    return patch.object(bodies, "stop", stop)


def _restarts_forget_retries() -> Any:
    real = restart.ask_again

    def ask_again(m: Machine) -> None:
        kept = m.ask
        with patch.object(m, "ask", lambda effect: None if getattr(effect, "kind", "") == "retry" else kept(effect)):
            real(m)

    return patch.object(restart, "ask_again", ask_again)


def _restarts_forget_to_cancel() -> Any:
    real = restart.ask_again

    def ask_again(m: Machine) -> None:
        kept = m.ask
        with patch.object(m, "ask", lambda effect: None if isinstance(effect, Cancel) else kept(effect)):
            real(m)

    return patch.object(restart, "ask_again", ask_again)


def _grants_are_kept() -> Any:
    real = Machine._lost  # noqa: SLF001

    def lost(self: Machine, address: int, publish: bool, error: Any, at: float) -> None:
        real(self, address, False, error, at)

    return patch.object(Machine, "_lost", lost)


def _handlers_do_not_run_after_aborts() -> Any:
    real = scopes._conclude  # noqa: SLF001

    def conclude(m: Machine, number: int, phase: Any, at: float) -> None:
        if phase is ExecutionPhase.ABORTED and m.state.scopes[number].handler < 0:
            m.say(Turned(phase, at, scope=number))
            scopes._ended(m, number, at)  # noqa: SLF001
        else:
            real(m, number, phase, at)

    return patch.object(scopes, "_conclude", conclude)


def _answers_are_taken_twice() -> Any:
    real = gates.signalled

    def signalled(m: Machine, event: Any) -> None:
        m.state.answered.discard(event.id)
        real(m, event)

    return patch.dict(Machine._on, {Signalled: signalled})  # noqa: SLF001


def _items_forget_their_phase() -> Any:
    return patch.dict(fold._BYTE, dict.fromkeys(PHASES, 0))  # noqa: SLF001


def _a_body_is_told_once_only() -> Any:
    real = bodies.heard

    def heard(m: Machine, address: int, at: float) -> None:
        body = m.state.bodies[address]
        if not body.suspended or body.ended or len(body.history) % 2:
            real(m, address, at)

    return patch.object(bodies, "heard", heard)


MUTANTS: dict[str, Plant] = {
    "no fence": _no_fence,
    "effects before the commit": _effects_before_the_commit,
    "late results count": _late_results_count,
    "one retry too many": _one_retry_too_many,
    "system failures are the user's": _system_failures_are_the_users,
    "formulas know of no failure": _formulas_know_of_no_failure,
    "failed nodes count as done": _failed_nodes_count_as_done,
    "maps do not wait for their items": _maps_do_not_wait_for_their_items,
    "items do not wait for what feeds them": _items_do_not_wait_for_what_feeds_them,
    "maps that nothing feeds any more go on": _maps_that_nothing_feeds_any_more_go_on,
    "items that were fed are forgotten": _items_that_were_fed_are_forgotten,
    "failed items are not counted": _failed_items_are_not_counted,
    "concurrency is off by one": _concurrency_is_off_by_one,
    "skipped arms run": _skipped_arms_run,
    "aborts forget bodies that wait": _aborts_forget_bodies_that_wait,
    "restarts forget retries": _restarts_forget_retries,
    "restarts forget to cancel": _restarts_forget_to_cancel,
    "grants are kept": _grants_are_kept,
    "handlers do not run after aborts": _handlers_do_not_run_after_aborts,
    "answers are taken twice": _answers_are_taken_twice,
    "items forget their phase": _items_forget_their_phase,
    "a body is told once only": _a_body_is_told_once_only,
}
"""By name, what plants it."""


def caught(plant: Plant, seeds: range) -> int | None:
    """The first seed that finds a planted bug, None if none of them does."""
    with plant():
        for seed in seeds:
            try:
                World(seed).run()
            except Exception:  # noqa: BLE001  # however it shows
                return seed
    return None
