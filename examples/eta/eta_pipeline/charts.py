"""Small charts as inline SVG."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eta_pipeline.geo import Array

_SPEED_STEPS_KPH = (10.0, 15.0, 20.0, 25.0, 32.0, 45.0)
_SPEED_COLOURS = ("#8e1b3a", "#d6543a", "#f0934e", "#e8c547", "#8fbf6a", "#3d9a8b", "#2c6fb0")
_WIDTHS = {"motorway": 3.4, "trunk": 3.2, "primary": 2.8, "secondary": 2.4, "tertiary": 2.0}
_SAMPLE = 1500
_TALLEST_MAP = 640


def speed_map(segments: pd.DataFrame, kph: Array, width: int = 1080) -> str:
    """Return a map of segments coloured by speed; directions of one road are drawn side by side."""
    middle = float(np.radians((segments.lat_a.mean() + segments.lat_b.mean()) / 2))
    x = np.stack([segments.lon_a, segments.lon_b]) * np.cos(middle)
    y = -np.stack([segments.lat_a, segments.lat_b])
    scale = min((width - 20) / (x.max() - x.min()), _TALLEST_MAP / (y.max() - y.min()))
    x, y = 10 + (x - x.min()) * scale, 10 + (y - y.min()) * scale
    x += (width - x.max() - 10) / 2
    height = int(y.max()) + 46
    along = np.hypot(x[1] - x[0], y[1] - y[0]) + 1e-9
    side = 1.1
    dx, dy = -(y[1] - y[0]) / along * side, (x[1] - x[0]) / along * side
    step = np.digitize(kph, _SPEED_STEPS_KPH)
    line = segments.road_class.map(lambda c: _WIDTHS.get(c, 1.4)).to_numpy()
    groups = []
    for colour, thick in sorted({(int(s), float(w)) for s, w in zip(step, line, strict=True)}, key=lambda p: p[1]):
        rows = np.flatnonzero((step == colour) & (line == thick))
        path = "".join(
            f"M{x[0][i] + dx[i]:.1f} {y[0][i] + dy[i]:.1f}L{x[1][i] + dx[i]:.1f} {y[1][i] + dy[i]:.1f}" for i in rows
        )
        groups.append(f'<path d="{path}" stroke="{_SPEED_COLOURS[colour]}" stroke-width="{thick}"/>')
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Map of speeds">'
        f'<g fill="none" stroke-linecap="round">{"".join(groups)}</g>{_legend(height - 18)}</svg>'
    )


def _legend(y: int) -> str:
    bounds = ["", *(f"{b:g}" for b in _SPEED_STEPS_KPH)]
    boxes = "".join(
        f'<rect x="{10 + 46 * i}" y="{y}" width="46" height="9" fill="{colour}"/>'
        f'<text x="{10 + 46 * i}" y="{y - 4}" text-anchor="middle">{bound}</text>'
        for i, (colour, bound) in enumerate(zip(_SPEED_COLOURS, bounds, strict=True))
    )
    return (
        f'<g font-size="12" fill="#5b6675">{boxes}<text x="{20 + 46 * len(_SPEED_COLOURS)}" y="{y + 9}">km/h</text></g>'
    )


def bars(names: list[str], values: Array, counts: Array, unit: str) -> str:
    """Return a bar chart with the values on top (where there is room) and the counts of rides as titles."""
    width, height, left, base = 520, 230, 34, 196
    top = _nice(float(values.max()))
    pitch = (width - left) / len(names)
    parts = []
    for k in range(5):
        y = base - 170 * k / 4
        parts.append(f'<line x1="{left}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e6eaef"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{top * k / 4:g}</text>')
    roomy = pitch > 30
    for i, (name, value, count) in enumerate(zip(names, values, counts, strict=True)):
        x, tall = left + pitch * (i + 0.14), 170 * value / top
        parts.append(
            f'<rect x="{x:.1f}" y="{base - tall:.1f}" width="{pitch * 0.72:.1f}" height="{tall:.1f}" rx="2" fill="#5b78d8">'
            f"<title>{name}: {value:.1f} {unit}, {count:,} rides</title></rect>"
        )
        centre = left + pitch * (i + 0.5)
        if roomy:
            parts.append(f'<text x="{centre:.1f}" y="{base - tall - 5:.1f}" text-anchor="middle">{value:.0f}</text>')
        if roomy or i % 3 == 0:
            parts.append(f'<text x="{centre:.1f}" y="{base + 17}" text-anchor="middle">{name}</text>')
    return f'<svg viewBox="0 0 {width} {height}" font-size="11.5" fill="#5b6675" role="img">{"".join(parts)}</svg>'


def _nice(value: float) -> float:
    """Return the least of 1, 2, 4, 6, 8, 10 times a power of ten, times four quarters, that is not below the value."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-9)))
    return float(next(m * power for m in (1, 2, 4, 6, 8, 10) if m * power >= value))


def scatter(x: Array, y: Array) -> str:
    """Return predicted (across) against actual (up) of an evenly spaced sample."""
    size, left, base = 520, 34, 300
    pick = np.linspace(0, len(x) - 1, min(_SAMPLE, len(x))).astype(int)
    top = _nice(float(np.quantile(np.r_[x, y], 0.995)))
    wide, tall = size - left - 10, base - 12
    inside = pick[(x[pick] <= top) & (y[pick] <= top)]
    dots = "".join(
        f'<circle cx="{left + wide * x[i] / top:.1f}" cy="{base - tall * y[i] / top:.1f}" r="1.9"/>' for i in inside
    )
    ticks = "".join(
        f'<text x="{left + wide * k / 4:.1f}" y="{base + 17}" text-anchor="middle">{top * k / 4:g}</text>'
        f'<text x="{left - 6}" y="{base - tall * k / 4 + 4:.1f}" text-anchor="end">{top * k / 4:g}</text>'
        f'<line x1="{left}" x2="{left + wide}" y1="{base - tall * k / 4:.1f}" y2="{base - tall * k / 4:.1f}" stroke="#e6eaef"/>'
        for k in range(5)
    )
    return (
        f'<svg viewBox="0 0 {size} {base + 40}" font-size="11.5" fill="#5b6675" role="img">{ticks}'
        f'<line x1="{left}" y1="{base}" x2="{left + wide}" y2="{base - tall}" stroke="#1c2430" stroke-dasharray="4 4"/>'
        f'<g fill="#3757c8" fill-opacity=".35">{dots}</g>'
        f'<text x="{left + wide / 2}" y="{base + 35}" text-anchor="middle">predicted, minutes</text></svg>'
    )
