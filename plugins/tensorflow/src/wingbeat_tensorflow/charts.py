"""Learning curves as drawings for the page of an attempt. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, PAD = 560, 256, 64, 28, 28, 12
TRAIN, VALIDATION = "#1f77b4", "#d9730d"
POINTS_MAX = 500
"""Of a longer curve, so many points are drawn."""


def curves(history: Mapping[str, Sequence[float]]) -> str:
    """HTML with one drawing for each metric, its curve in validation beside that in training. Lists are by epoch."""
    return "\n".join(
        _chart(name, values, history.get(f"val_{name}", ()))
        for name, values in history.items()
        if not (name.startswith("val_") and name.removeprefix("val_") in history)
    )


def _chart(name: str, train: Sequence[float], validation: Sequence[float]) -> str:
    shown = [value for value in (*train, *validation) if math.isfinite(value)]
    title = html.escape(name)
    if not shown:
        return f"<p>{title}: no finite values</p>"
    low, high = min(shown), max(shown)
    if low == high:
        low, high = low - 0.5, high + 0.5
    last = max(len(train), len(validation))

    def place(epoch: int, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - PAD) * (epoch / max(1, last - 1))
        y = TOP + (HEIGHT - BOTTOM - TOP) * (1 - (value - low) / (high - low))
        return f"{x:.1f},{y:.1f}"

    def line(values: Sequence[float], color: str) -> str:
        step = max(1, math.ceil(len(values) / POINTS_MAX))
        kept = sorted({*range(0, len(values), step), len(values) - 1} - {-1})
        points = [place(epoch, values[epoch]) for epoch in kept if math.isfinite(values[epoch])]
        if not points:
            return ""
        if len(points) == 1:
            x, _, y = points[0].partition(",")
            return f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>'
        return f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{" ".join(points)}"/>'

    grid = "".join(
        _level(low + (high - low) * part / 4, TOP + (HEIGHT - BOTTOM - TOP) * (1 - part / 4)) for part in range(5)
    )
    legend = f'<text x="{LEFT}" y="14" fill="{TRAIN}">training {train[-1]:.4g}</text>' if train else ""
    if validation:
        legend += f'<text x="{LEFT + 150}" y="14" fill="{VALIDATION}">validation {validation[-1]:.4g}</text>'
    return (
        f'<h3>{title}</h3>\n<svg role="img" aria-label="{title} by epoch" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="max-width: {WIDTH}px; width: 100%" font-size="12">{grid}'
        f"{line(train, TRAIN)}{line(validation, VALIDATION)}{legend}"
        f'<text x="{LEFT}" y="{HEIGHT - 8}" fill="currentColor">epoch 1</text>'
        f'<text x="{WIDTH - PAD}" y="{HEIGHT - 8}" fill="currentColor" text-anchor="end">{last}</text></svg>'
    )


def _level(value: float, y: float) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - PAD}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity=".15"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" fill="currentColor" text-anchor="end">{value:.4g}</text>'
    )
