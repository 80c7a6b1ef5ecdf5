"""What differs between two specs."""

import random

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from wingbeat import task
from wingbeat.author.closing import close
from wingbeat.spec.codec import canonical
from wingbeat.spec.diff import Difference, differences
from wingbeat.spec.entities import Interface, LaunchPlanSpec, RetrySpec
from wingbeat.spec.triggers import OnArtifactSpec
from wingbeat.testing.graphs import Graphs
from wingbeat.testing.plans import Job, make_closure, replace_task

ONE = make_closure({"a": Job(), "b": Job(["a"])}, returns=["b"])


@task
def tick(n: int) -> int:
    return n


@task
def tock(n: int) -> int:
    return n


def told(old, new):
    return [str(difference) for difference in differences(old, new)]


def test_a_spec_does_not_differ_from_itself():
    assert differences(ONE, ONE) == []


def test_an_option_of_a_task_is_named_and_digests_that_follow_are_not():
    new = replace_task(ONE, "jobs.a", retry=RetrySpec(count=3))
    assert told(ONE, new) == ["task jobs.a: retry.count: 3, which was not there"]
    assert told(new, ONE) == ["task jobs.a: retry.count: no longer 3"]
    assert told(new, replace_task(ONE, "jobs.a", retry=RetrySpec(count=5))) == ["task jobs.a: retry.count: 3 → 5"]


def test_code_has_changed_or_not():
    old, new = (replace_task(ONE, "jobs.a", code=f"sha256:{digit * 64}") for digit in "ab")
    assert told(old, new) == ["task jobs.a: code: changed"]


def test_nodes_are_told_by_their_ids():
    new = make_closure({"a": Job(), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"])
    found = told(ONE, new)
    assert "task jobs.c: added" in found
    assert any("nodes.c: " in line and "which was not there" in line for line in found)
    assert any(line.startswith("task jobs.c: removed") for line in told(new, ONE))


def test_bundle_and_environment_are_no_entities():
    assert told(ONE, replace(ONE, bundle="sha256:1")) == ['bundle: "" → sha256:1']
    assert told(replace(ONE, bundle="sha256:1"), replace(ONE, bundle="sha256:2")) == ["bundle: changed"]


def test_what_is_added_and_removed_is_told_without_what_is_in_it():
    added = Difference("task m.f", "", UNSET, "task m.f")
    assert str(added) == "task m.f: added"


@pytest.mark.parametrize("seed", range(60))
def test_whatever_differs_is_told_and_what_does_not_is_not(seed):
    one, other = (Graphs(random.Random(s)).closure(1) for s in (seed, seed + 1))
    again = Graphs(random.Random(seed)).closure(1)
    assert differences(one, again) == []
    assert bool(differences(one, other)) == (canonical(one) != canonical(other))


def test_a_launch_plan_is_compared_like_all_else():
    one = LaunchPlanSpec("p", ONE.root, Interface(), trigger=OnArtifactSpec("maps/production/roads", {"city": "SF"}))
    other = replace(one, trigger=OnArtifactSpec("maps/production/roads", {"city": "sf"}), priority=1)
    found = [str(each) for each in differences(ONE, ONE, old_plan=one, new_plan=other)]
    assert found == [
        "launch plan p: trigger.partitions.city: SF → sf",
        "launch plan p: priority: 1, which was not there",
    ]


def test_of_a_task_that_is_run_by_itself_nobody_has_written_a_workflow():
    (one, _), (other, _) = close(tick, None), close(tock, None)
    assert {str(each) for each in differences(one, other)} == {
        f"task {one.workflow.name}: removed", f"task {other.workflow.name}: added",
    }  # fmt: skip
    plan = LaunchPlanSpec("p", one.root, Interface())
    assert [str(each) for each in differences(one, one, old_plan=plan)] == ["launch plan p: removed"]
