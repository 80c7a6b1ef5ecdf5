"""The cluster as TensorFlow wants to be told of it. Pure."""

from __future__ import annotations

import json

from wingbeat.contracts.gang import Member

EVALUATOR = "evaluator"


def tf_config(member: Member) -> str:
    """``TF_CONFIG`` of a member. An evaluator is not part of the cluster, but knows of it."""
    cluster = {role: list(addresses) for role, addresses in member.addresses.items() if role != EVALUATOR}
    return json.dumps({"cluster": cluster, "task": {"type": member.role, "index": member.index}})


def serves(member: Member) -> bool:
    """Whether it waits for what the chief asks of it, instead of running the function: where there are parameter servers."""
    return "ps" in member.addresses and member.role in ("worker", "ps")


def trains(member: Member) -> bool:
    """Whether it trains its own copy of the model, in step with the others."""
    return "ps" not in member.addresses and member.role != EVALUATOR
