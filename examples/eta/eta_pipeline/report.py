"""The report: one self-contained HTML page with a map of speeds and plots of error, drawn as SVG."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from eta_pipeline.charts import bars, scatter, speed_map
from eta_pipeline.clock import DAY_TYPES, SLOTS
from eta_pipeline.constants import NO_FOLD
from eta_pipeline.facts import Facts
from eta_pipeline.metrics import Metrics
from eta_pipeline.validation import DISTANCE_EDGES_M, by_distance, by_hour

ROADS_CREDIT = (
    'Roads: <a href="https://www.openstreetmap.org/copyright">© OpenStreetMap contributors</a>, ODbL 1.0;'
    " segment speeds are a derived database under the same licence."
)
CABS_CREDIT = (
    "Vehicle locations and rides of San Francisco, where used: M. Piorkowski, N. Sarafijanovic-Djukic, M. Grossglauser,"
    " CRAWDAD data set epfl/mobility (v. 2009-02-24), doi:10.15783/C7J010; clipped, sampled, rides derived."
)
_PEAK = 17

_STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--accent:#3757c8}
*{box-sizing:border-box}body{margin:0;background:#f4f6f8;color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 24px 48px}h1{font-size:27px;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:18px;margin:0 0 2px}p{margin:4px 0 12px;color:var(--soft)}a{color:var(--accent)}
section{background:#fff;border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:18px}
.row{display:grid;grid-template-columns:1fr 1fr;gap:18px}.row section{min-width:0}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin-top:20px}
.tile{background:#fff;border:1px solid var(--line);border-radius:10px;padding:14px 18px}
.tile b{display:block;font-size:26px;font-variant-numeric:tabular-nums;letter-spacing:-.02em}.tile span{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{padding:7px 8px;text-align:right}
th{font-weight:600;color:var(--soft);border-bottom:1px solid var(--line)}td:first-child,th:first-child{text-align:left}
tr:last-child td{font-weight:650}td .bar{display:block;height:9px;border-radius:3px;background:#b9c6ee}
tr:last-child .bar{background:var(--accent)}.wide{width:34%}svg{display:block;width:100%;height:auto}
.warn{background:#fff4d6;border:1px solid #e5c35c;border-radius:10px;padding:10px 16px;margin-top:16px;color:#5e4700}
footer{margin-top:22px;color:var(--soft);font-size:13px}@media(max-width:760px){.row,.tiles{grid-template-columns:1fr}}
"""


def render(
    metrics: Metrics,
    errors: pd.DataFrame,
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    facts: Facts,
) -> str:
    """Return the page's HTML; it loads nothing from elsewhere."""
    kind = " (simulated)" if facts.simulated else ""
    title = f"Ride times in {facts.place}{kind}"
    simulated = (
        '<div class="warn"><b>Simulated.</b> The roads are real; vehicles and rides were made up by the example\'s'
        " simulator. These errors say that the pipeline works, not how well it would do in a city.</div>"
        if facts.simulated
        else ""
    )
    hours, distances = by_hour(errors), by_distance(errors)
    day = "%d %b %Y %H:%M"
    learned = f"{facts.learned_from.strftime(day)} to {facts.learned_until.strftime(day)}"
    checked = f"{facts.validated_from.strftime(day)} to {facts.validated_until.strftime(day)}"
    body = f"""<h1>{escape(title)}</h1>
<p>Learned from {learned}, validated on {checked}, local time. Roads: {escape(facts.place)}, {escape(facts.extract_date)}.</p>
{simulated}{_tiles(metrics)}
<section><h2>Speeds on the roads, Monday to Thursday at {_PEAK}:00</h2>
<p>Each line is a road segment, coloured by the speed that vehicles were seen to make, smoothed{kind}.</p>
{speed_map(segments, _speeds(segments, paces, factors))}</section>
<section><h2>What each step is worth</h2><p>Errors on {metrics.clean_rides:,} clean rides after the last day learned from.
MAPE is the mean of |error| / duration.</p>{_table(metrics)}</section>
<div class="row"><section><h2>Error by hour</h2><p>Mean absolute error in seconds, by local hour of the start.</p>
{bars([f"{h}" for h in hours.index], hours.mae_s.to_numpy(), hours.rides.to_numpy(), "s")}</section>
<section><h2>Error by distance</h2><p>Mean absolute error in seconds, by straight-line distance.</p>
{bars(_distance_names(distances), distances.mae_s.to_numpy(), distances.rides.to_numpy(), "s")}</section></div>
<div class="row"><section><h2>Relative error by distance</h2><p>MAPE in per cent, by straight-line distance.</p>
{bars(_distance_names(distances), 100 * distances.mape.to_numpy(), distances.rides.to_numpy(), "%")}</section>
<section><h2>Predicted and actual</h2><p>Minutes, a sample of the rides; on the line the prediction is exact.</p>
{scatter(errors.predicted_s.to_numpy() / 60, errors.duration_s.to_numpy() / 60)}</section></div>
<section><h2>The week</h2><p>How much slower than its mean the whole city drives, by hour and kind of day{kind}.</p>
{_week(factors)}</section>
<footer><p>{ROADS_CREDIT}</p>{"" if facts.simulated else f"<p>{CABS_CREDIT}</p>"}</footer>"""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def _tiles(metrics: Metrics) -> str:
    tiles = [
        (f"{metrics.mae_s:.1f} s", "mean absolute error, clean rides"),
        (f"{100 * metrics.mape:.1f} %", "mean relative error (MAPE)"),
        (f"{100 * metrics.traffic_gain:.1f} %", "less error with observed traffic than with free flow"),
        (f"{metrics.all_mae_s:.1f} s", f"on all {metrics.rides:,} rides, odd ones included"),
    ]
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{a}</b><span>{b}</span></div>' for a, b in tiles)
        + "</div>"
    )


def _table(metrics: Metrics) -> str:
    worst = max(score.mae_s for score in metrics.scores)
    rows = "".join(
        f'<tr><td>{escape(s.name)}</td><td class="wide"><span class="bar" style="width:{100 * s.mae_s / worst:.1f}%">'
        f"</span></td><td>{s.mae_s:.1f}</td><td>{100 * s.mape:.1f}</td><td>{s.bias_s:+.1f}</td></tr>"
        for s in metrics.scores
    )
    head = '<tr><th>Prediction by</th><th class="wide"></th><th>MAE, s</th><th>MAPE, %</th><th>bias, s</th></tr>'
    return f"<table>{head}{rows}</table>"


def _speeds(segments: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame) -> np.ndarray:
    """Return km/h of the segments (in the order of `segments`) on a working day at the peak hour."""
    bucket = 5  # 16:00 to 19:00 on a working day
    now = paces[(paces.without == NO_FOLD) & (paces.bucket == bucket)].set_index("segment_id")
    factor = factors[(factors.without == NO_FOLD) & (factors.slot == _PEAK)].factor.iloc[0]
    pace = (now.pace * now.deviation * factor).reindex(segments.segment_id)
    return np.asarray(3.6 / pace.to_numpy())


def _distance_names(table: pd.DataFrame) -> list[str]:
    names = []
    for i in table.index:
        low, high = DISTANCE_EDGES_M[i] / 1000, DISTANCE_EDGES_M[i + 1] / 1000
        names.append(f"{low:g} to {high:g} km" if high < 1000 else f"over {low:g} km")
    return names


def _week(factors: pd.DataFrame) -> str:
    week = factors[factors.without == NO_FOLD].sort_values("slot").factor.to_numpy().reshape(SLOTS // 24, 24)
    cells = []
    for name, hours in zip(DAY_TYPES, week, strict=True):
        row = "".join(
            f'<td style="background:{_shade(v)};text-align:center;padding:5px 0;font-weight:400;font-size:12px">{v:.2f}</td>'
            for v in hours
        )
        cells.append(f'<tr><td style="font-weight:400;white-space:nowrap">{escape(name)}</td>{row}</tr>')
    head = "".join(f'<th style="text-align:center;padding:4px 0;font-size:12px">{h}</th>' for h in range(24))
    return f"<table><tr><th></th>{head}</tr>{''.join(cells)}</table>"


def _shade(factor: float) -> str:
    strength = min(abs(np.log(factor)) / 0.4, 1.0)
    return f"rgba({'214,84,58' if factor > 1 else '44,123,182'},{0.75 * strength:.2f})"
