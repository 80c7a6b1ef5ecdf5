"""The whole pipeline through the engine, on real data: set ETA_DATA to its folder."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

DATA = os.environ.get("ETA_DATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not DATA, reason="ETA_DATA does not name a folder of real data"),
]
MOST_MAE_S, MOST_MAPE, LEAST_GAIN = 83.0, 0.202, 0.12


def test_the_model_beats_what_needs_no_roads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wingbeat = pytest.importorskip("wingbeat")
    import eta
    from eta_pipeline.places import Place
    from eta_pipeline.serving import load

    monkeypatch.setenv("WINGBEAT_HOME", str(tmp_path / "home"))
    made = wingbeat.run(eta.eta, data=wingbeat.Directory(DATA))
    assert made.metrics.mae_s <= MOST_MAE_S
    assert made.metrics.mape <= MOST_MAPE
    assert made.metrics.traffic_gain >= LEAST_GAIN
    page = made.report.path().read_text()
    assert "<svg" in page
    assert "Simulated." not in page
    question = Place(37.7955, -122.3937), Place(37.8008, -122.4368), datetime(2008, 5, 30, 18)
    answered = wingbeat.run(eta.predict, model=made.model, origin=question[0], to=question[1], at=question[2])
    assert answered == pytest.approx(load(made.model.path()).predict(*question))
    assert 300 < answered < 1500
