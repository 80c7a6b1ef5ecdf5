"""The pricing team, beside an ETA team whose task is small: what counts here is what the two have promised each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[1]
ETA = """
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from wingbeat import Artifact, Directory, task, workflow

@dataclass(frozen=True)
class Place:
    lat: float
    lon: float

@task
def fit(seconds: float) -> Directory:
    Path("model").mkdir()
    Path("model", "model.json").write_text(json.dumps({"seconds": seconds}))
    return Directory("model")

@task
def answer(model: Directory, origin: Place, to: Place, at: datetime) -> float:
    return json.loads((model.path() / "model.json").read_text())["seconds"]

@workflow(publishes={"o0": Artifact("model", partitions={"city": "city"})})
def train(city: str, seconds: float) -> Directory:
    return fit(seconds)

@workflow(publishes={"o0": Artifact("live", partitions={"city": "city"})})
def refresh(city: str, seconds: float) -> Directory:
    return fit(seconds)
"""


@pytest.fixture
def pricing(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    import pricing

    yield pricing
    sys.modules.pop("pricing", None)


def test_a_ride_costs_by_the_minute_more_in_the_rush_and_never_less_than_the_least(pricing: Any) -> None:
    tariff = pricing.Tariff(base=2.0, minute=1.0, least=5.0, busy=1.5)
    noon, rush, sunday = datetime(2026, 6, 2, 12), datetime(2026, 6, 2, 17), datetime(2026, 6, 7, 17)
    assert pricing.charge.plain(600.0, noon, tariff) == pricing.Quote(12.0, 10.0, False)
    assert pricing.charge.plain(600.0, rush, tariff) == pricing.Quote(18.0, 10.0, True)
    assert pricing.charge.plain(600.0, sunday, tariff).price == 12.0
    assert pricing.is_busy(datetime(2026, 6, 2, 14, tzinfo=UTC)), "17:00 in the city"
    assert pricing.charge.plain(61.0, noon, tariff).price == 5.0
    assert pricing.charge.plain(601.0, noon, tariff).price == 12.1, "rounded up to ten cents"


class Teams:
    """Two teams at one home; the ETA team's file is as another team would keep it: elsewhere."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "eta"
        self.folder.mkdir()
        (self.folder / "wingbeat.toml").touch()
        (self.folder / "eta.py").write_text(ETA)
        self.environment = {n: v for n, v in os.environ.items() if not n.startswith("WINGBEAT_")}
        self.environment["WINGBEAT_HOME"] = str(root / "home")

    def __call__(self, *line: str) -> dict[str, Any]:
        command = [str(Path(sys.executable).with_name("wingbeat")), *line, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=50)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def launch(self, *line: str) -> Any:
        (output,) = self("launch", *line, "--wait")["outputs"].values()
        return output

    def lists(self) -> list[dict[str, Any]]:
        found = self("get", "executions", "--entity", "pricing/production/list-on-new-model", "--phase", "SUCCEEDED")
        return found["items"]  # type: ignore[no-any-return]


@pytest.fixture
def teams(tmp_path: Path) -> Teams:
    teams = Teams(tmp_path)
    teams("register", str(teams.folder / "eta.py"), "-p", "eta", "-d", "production", "--version", "v1")
    teams("register", str(HERE / "pricing.py"), "-p", "pricing", "-d", "production", "--version", "v1")
    return teams


@pytest.mark.timeout(180)
def test_prices_follow_the_models_of_the_eta_team_and_keep_to_the_version_of_its_task(teams: Teams) -> None:
    teams("activate", "launchplan", "pricing/production/list-on-new-model@v1")
    teams("launch", "eta/production/eta.train", "--city", "helsinki", "--seconds", "600", "--wait")
    teams("launch", "eta/production/eta.train", "--city", "tampere", "--seconds", "60", "--wait")
    end = time.monotonic() + 60
    while not (made := teams.lists()):
        assert time.monotonic() < end
    assert len(made) == 1, "the list is of Helsinki"
    prices = teams("get", "execution", made[0]["id"])["outputs"]["o0"]
    assert prices["station to market, at noon"] == {"price": 12.5, "minutes": 10.0, "busy": False}
    assert prices["park to station, in the evening peak"]["price"] == 15.7

    teams("launch", "eta/production/eta.refresh", "--city", "helsinki", "--seconds", "1200", "--wait")
    trip = [
        "--origin",
        '{"lat": 60.17, "lon": 24.94}',
        "--to",
        '{"lat": 60.16, "lon": 24.93}',
        "--at",
        "2026-06-02T12:00",
    ]
    assert teams.launch("pricing/production/price", *trip)["minutes"] == 20.0, "by what is live"

    source = (teams.folder / "eta.py").read_text()
    (teams.folder / "eta.py").write_text(source.replace('["seconds"]\n', '["seconds"] * 100\n'))
    teams("register", str(teams.folder / "eta.py"), "-p", "eta", "-d", "production", "--version", "v2")
    assert teams.launch("pricing/production/price", *trip)["minutes"] == 20.0, "v1 of their task, whatever is newer"
