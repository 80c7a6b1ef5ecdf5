"""What the search for hyper-parameters passes from node to node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Params:
    """Hyper-parameters: depth of a tree, least hessian in a leaf, learning rate, shares of rows and columns, L2."""

    depth: int = 7
    least_weight: float = 30.0
    step: float = 0.04
    rows: float = 0.6
    columns: float = 0.4
    ridge: float = 1.0


@dataclass(frozen=True)
class Trial:
    """What a try gave: its parameters, the best number of trees, and the mean absolute error there, seconds."""

    params: Params
    rounds: int
    mae_s: float
