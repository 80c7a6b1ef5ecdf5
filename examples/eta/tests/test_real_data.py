"""The whole pipeline through the command line, on real data: set ETA_DATA to its folder. Needs no library itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = os.environ.get("ETA_DATA", "")
ETA = Path(__file__).parents[1] / "eta.py"
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not DATA, reason="ETA_DATA does not name a folder of real data"),
]
MOST_MAE_S, MOST_MAPE, LEAST_GAIN = 83.0, 0.202, 0.12


def _run(home: Path, *arguments: str) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("wingbeat")), "run", str(ETA), *arguments, "-o", "json"]
    done = subprocess.run(
        command, env=os.environ | {"WINGBEAT_HOME": str(home)}, stdout=subprocess.PIPE, text=True, check=False
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, answer["error"]
    return answer


def test_the_model_beats_what_needs_no_roads(tmp_path: Path) -> None:
    made = _run(tmp_path, "eta", "--data", DATA)["outputs"]
    metrics = made["metrics"]
    assert metrics["mae_s"] <= MOST_MAE_S
    assert metrics["mape"] <= MOST_MAPE
    assert metrics["traffic_gain"] >= LEAST_GAIN
    page = Path(made["report"]).read_text(encoding="utf-8")
    assert "<svg" in page
    assert "Simulated." not in page
    again = _run(tmp_path, "eta", "--data", DATA)
    assert again["outputs"]["metrics"] == metrics
    ran = [node for node in again["nodes"] if node["task"] != "branch" and node["phase"] != "SKIPPED"]
    assert {node["cache"] for node in ran} == {"HIT"}
    trip = ["--origin", '{"lat": 37.7955, "lon": -122.3937}', "--to", '{"lat": 37.8008, "lon": -122.4368}']
    answer = _run(tmp_path, "predict", "--model", made["model"], *trip, "--at", "2008-05-30T18:00")
    (seconds,) = answer["outputs"].values()
    assert 300 < seconds < 1500
