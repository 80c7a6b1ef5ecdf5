"""Bugs that are planted into the machine or around it, each of which the simulation has to find: the proof of the proof."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from wingbeat.machine import attempts, bodies, branches, fold, gates, maps, restart, scopes, step, values
from wingbeat.machine.effect import Cancel, SetTimer
from wingbeat.machine.event import CacheHit, CacheMissed, ChildEnded, Signalled
from wingbeat.machine.fact import AttemptLost, NodeSucceeded, Opened, SignalKept, Suspended, Turned
from wingbeat.machine.graph import is_item, item_address, node_of
from wingbeat.machine.state import PHASES, MapState
from wingbeat.machine.step import Machine
from wingbeat.spec.chosen import choose as choose_options
from wingbeat.spec.conditions import evaluate
from wingbeat.spec.entities import MapSpec
from wingbeat.spec.formulas import Known
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import ChildKind, FromInput, MapKind
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

    return patch.object(Machine, "current", current)


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


def _ask(unwanted: Callable[[Any], bool]) -> Any:
    """The machine does not ask for some effects."""
    real = Machine.ask

    def ask(self: Machine, effect: Any) -> None:
        if not unwanted(effect):
            real(self, effect)

    return patch.object(Machine, "ask", ask)


def _timers_are_not_set(*kinds: str) -> Plant:
    return lambda: _ask(lambda effect: getattr(effect, "kind", "") in kinds)


def _timers_come_early(kind: str) -> Plant:
    """Of one kind, by two seconds of some five and more."""
    real = Machine.ask

    def ask(self: Machine, effect: Any) -> None:
        early = isinstance(effect, SetTimer) and effect.kind == kind
        real(self, SetTimer(effect.due - 2.0, effect.kind, effect.node, effect.attempt) if early else effect)

    return lambda: patch.object(Machine, "ask", ask)


def _gates_open_at_any_timer() -> Any:
    real, until = gates.due, gates.until

    def due(m: Machine, number: int, at: float) -> None:
        with patch.object(gates, "until", lambda *gate: None if until(*gate) is None else at):
            real(m, number, at)

    return patch.object(gates, "due", due)


def _questions_are_answered_for_the_user() -> Any:
    real = gates._answer  # noqa: SLF001

    def answer(m: Machine, number: int, kind: Any, value: Any, at: float) -> None:
        real(m, number, kind, Inline(99) if kind.spec.gate == "input" else value, at)

    return patch.object(gates, "_answer", answer)


def _children_are_given_something_else() -> Any:
    real = Machine.values

    def values_of(self: Machine, address: int, **without: Any) -> Any:
        found = real(self, address, **without)
        return {"x": Inline(99)} if isinstance(self.graph.kind(address), ChildKind) else found

    return patch.object(Machine, "values", values_of)


def _bodies_call_something_else() -> Any:
    def opened(parent: int, at: float, inputs: Any, key: str, template: str) -> Opened:
        return Opened(parent, at, {"x": Inline(99)}, key, template)

    return patch.object(bodies, "Opened", opened)


def _bodies_that_begin_anew_keep_nothing() -> Any:
    real = fold._begin_again  # noqa: SLF001

    def begin_again(state: Any, body: Any, at: float) -> None:
        real(state, body, at)
        body.kept = {}

    return patch.object(fold, "_begin_again", begin_again)


def _bodies_are_not_forgiven_lost_turns() -> Any:
    real = fold._APPLY[Suspended]  # noqa: SLF001

    def suspended(graph: Any, state: Any, fact: Suspended) -> None:
        failures = state.node(fact.node).system_failures
        real(graph, state, fact)
        state.node(fact.node).system_failures = failures

    return patch.dict(fold._APPLY, {Suspended: suspended})  # noqa: SLF001


def _gates_do_not_time_out() -> Any:
    real = gates.until

    def until(m: Machine, number: int, kind: Any) -> float | None:
        return real(m, number, kind) if kind.spec.gate == "sleep" else None

    return patch.object(gates, "until", until)


def _the_last_arm_is_taken() -> Any:
    return patch.object(branches, "evaluate", lambda when, values: False)


def _conditions_are_inverted() -> Any:
    return patch.object(branches, "evaluate", lambda when, values: not evaluate(when, values))


def _zeros(of: Any) -> Plant:
    """What a module resolves is 0."""
    real = of.resolve
    return lambda: patch.object(of, "resolve", lambda *given: dict.fromkeys(real(*given), Inline(0)))


def _inputs_are_constant() -> Any:
    real = values._resolve  # noqa: SLF001

    def resolve(source: Any, inputs: Any, outputs: Any) -> Any:
        return Inline(1) if isinstance(source, FromInput) else real(source, inputs, outputs)

    return patch.object(values, "_resolve", resolve)


def _items_are_given_the_first() -> Any:
    real = maps.item_values
    return patch.object(maps, "item_values", lambda m, address: real(m, item_address(node_of(address), 0)))


def _rejections_approve() -> Any:
    real = gates._answer  # noqa: SLF001

    def answer(m: Machine, number: int, kind: Any, value: Any, at: float) -> None:
        real(m, number, kind, value if kind.spec.gate == "input" else Inline(value=True), at)

    return patch.object(gates, "_answer", answer)


def _gates_give_something_else() -> Any:
    real = gates._through  # noqa: SLF001
    return patch.object(gates, "_through", lambda m, number, kind, value, at: real(m, number, kind, Inline(99), at))


def _early_answers_are_lost() -> Any:
    real = fold._APPLY[SignalKept]  # noqa: SLF001

    def kept(graph: Any, state: Any, fact: Any) -> None:
        real(graph, state, fact)
        state.signals.pop(fact.name)

    return patch.dict(fold._APPLY, {SignalKept: kept})  # noqa: SLF001


def _delays(changed: Callable[[Callable[..., float | None], Any, Any, Any, float], float | None]) -> Any:
    real = attempts.retry_delay_s
    return patch.object(attempts, "retry_delay_s", lambda *given: changed(real, *given))


def _retries_do_not_wait() -> Any:
    return _delays(lambda real, *given: None if real(*given) is None else 0.0)


def _user_errors_are_not_retried() -> Any:
    return _delays(lambda real, retry, node, error, draw: real(replace(retry, count=0), node, error, draw))


def _what_is_not_retryable_is_retried() -> Any:
    return _delays(lambda real, retry, node, error, draw: real(retry, node, replace(error, retryable=True), draw))


def _system_failures_are_not_retried() -> Any:
    return patch.object(attempts, "SYSTEM", replace(attempts.SYSTEM, count=0))


def _the_execution_does_not_time_out() -> Any:
    return _not_timed_out(lambda number: number == 0)


def _workflows_inside_do_not_time_out() -> Any:
    return _not_timed_out(lambda number: number > 0)


def _not_timed_out(spared: Callable[[int], bool]) -> Any:
    real = scopes.timed_out

    def timed_out(m: Machine, number: int, at: float) -> None:
        if not spared(number):
            real(m, number, at)

    return patch.object(scopes, "timed_out", timed_out)


def _restarts_forget_the_time_of_workflows_inside() -> Any:
    def timer(m: Machine, number: int) -> None:
        if number == 0:
            scopes.timer(m, number)

    return patch.object(restart, "scopes", SimpleNamespace(timer=timer))


def _failing_immediately_goes_on() -> Any:
    return patch.object(step, "FailurePolicy", SimpleNamespace(FAIL_IMMEDIATELY=None))


def _what_can_be_finished_is_not() -> Any:
    real = Machine._lost  # noqa: SLF001

    def lost(self: Machine, address: int, publish: bool, error: Any, at: float) -> None:
        real(self, address, publish, error, at)
        if error is not None and not is_item(address):
            number = self.graph.scope_of(address)
            scopes.turn_failing(self, number, self.state.scopes[number].error or error, at)
            scopes.settle(self, number, at)

    return patch.object(Machine, "_lost", lost)


def _handlers_are_not_told_the_error() -> Any:
    real = scopes._handler_inputs  # noqa: SLF001

    def inputs(m: Machine, number: int, handler: Any) -> Any:
        nothing = Inline({"code": "", "kind": "USER", "message": "", "node": ""})
        return {name: nothing if name == "error" else value for name, value in real(m, number, handler).items()}

    return patch.object(scopes, "_handler_inputs", inputs)


def _shares_are_rounded_down() -> Any:
    def needed(self: MapSpec, total: int) -> int:
        wanted = max(self.min_successes or 0, math.floor((self.min_success_ratio or 0.0) * total))
        return wanted if self.tolerant else total

    return patch.object(MapSpec, "needed", needed)


def _failed_items_give_a_number() -> Any:
    return patch.object(fold, "_NONE", Inline(0))


def _failed_children_succeed() -> Any:
    real = Machine._child_ended  # noqa: SLF001

    def ended(self: Machine, event: ChildEnded) -> None:
        real(self, ChildEnded(event.at, event.node, {"o0": Inline(1)}, event.source) if event.error else event)

    return patch.dict(Machine._on, {ChildEnded: ended})  # noqa: SLF001


def _hits_are_computed_again() -> Any:
    def hit(self: Machine, event: CacheHit) -> None:
        Machine._on[CacheMissed](self, CacheMissed(event.at, event.node, CacheStatus.MISS, "", publish=False))  # noqa: SLF001

    return patch.dict(Machine._on, {CacheHit: hit})  # noqa: SLF001


def _total_timeouts_give_way() -> Any:
    def retry_timers(m: Machine, address: int) -> None:
        node = m.state.node(address)
        m.ask(SetTimer(node.retry_at or 0.0, "retry", address, node.next_attempt))

    return patch.object(restart, "retry_timers", retry_timers)


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
    "runs do not time out": _timers_are_not_set("run"),
    "waits for a start do not time out": _timers_are_not_set("queue"),
    "nodes do not time out": _timers_are_not_set("total"),
    "total timeouts give way": _total_timeouts_give_way,
    "runs time out early": _timers_come_early("run"),
    "waits for a start time out early": _timers_come_early("queue"),
    "nodes time out early": _timers_come_early("total"),
    "the execution times out early": _timers_come_early("execution"),
    "workflows inside time out early": _timers_come_early("workflow"),
    "gates open at any timer": _gates_open_at_any_timer,
    "questions are answered for the user": _questions_are_answered_for_the_user,
    "children are given something else": _children_are_given_something_else,
    "bodies call something else": _bodies_call_something_else,
    "bodies that begin anew keep nothing": _bodies_that_begin_anew_keep_nothing,
    "bodies are not forgiven lost turns": _bodies_are_not_forgiven_lost_turns,
    "gates do not time out": _gates_do_not_time_out,
    "the execution does not time out": _the_execution_does_not_time_out,
    "workflows inside do not time out": _workflows_inside_do_not_time_out,
    "restarts forget the time of workflows inside": _restarts_forget_the_time_of_workflows_inside,
    "the last arm is taken": _the_last_arm_is_taken,
    "conditions are inverted": _conditions_are_inverted,
    "joins give something else": _zeros(branches),
    "workflows give something else": _zeros(scopes),
    "inputs are constant": _inputs_are_constant,
    "items are given the first": _items_are_given_the_first,
    "rejections approve": _rejections_approve,
    "gates give something else": _gates_give_something_else,
    "early answers are lost": _early_answers_are_lost,
    "retries do not wait": _retries_do_not_wait,
    "user errors are not retried": _user_errors_are_not_retried,
    "what is not retryable is retried": _what_is_not_retryable_is_retried,
    "system failures are not retried": _system_failures_are_not_retried,
    "failing immediately goes on": _failing_immediately_goes_on,
    "what can be finished is not": _what_can_be_finished_is_not,
    "handlers are not told the error": _handlers_are_not_told_the_error,
    "shares are rounded down": _shares_are_rounded_down,
    "failed items give a number": _failed_items_give_a_number,
    "failed children succeed": _failed_children_succeed,
    "hits are computed again": _hits_are_computed_again,
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
