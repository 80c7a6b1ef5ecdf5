"""The pipeline in production: what its layers are made of, what starts them; and three teams, as examples/README.md tells it."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path

import pytest
from test_model import Tables, model, tables  # noqa: F401  # fixtures

from wingbeat.spec.definition import Definition

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path, town: Path) -> Path:
    from eta_pipeline.simulator import simulate

    return simulate(tmp_path / "data", 5, extract=town, days=4, rides_a_day=50)


def test_layers_that_answer_from_now_on_are_made_of_all_days(data: Path) -> None:
    from eta_pipeline.selection import Ranges, deal_days, select

    dealt = deal_days(data, 1, "none")
    files = sorted((data / "locations").iterdir())
    assert (dealt.history, dealt.recent) == (files[:-1], files[-1:])
    last = date.fromisoformat(files[-1].name.removesuffix(".csv.gz"))
    assert dealt.clock.local(dealt.until - 1).date() == last
    assert dealt.until > select(data, "", None, Ranges(), 1, "none").periods.until, "training holds out what validates"


def test_roads_that_are_given_stand_in_for_those_of_the_data(data: Path, town: Path, tmp_path: Path) -> None:
    from eta_pipeline.selection import Ranges, select

    published = tmp_path / "helsinki-roads-2026-11-02.osm.pbf"
    published.touch()
    shutil.rmtree(data / "osm")
    found = select(data, "", None, Ranges(), 1, "none", published)
    assert (found.extract.file, found.facts.place, found.facts.extract_date) == (published, "helsinki", "2026-11-02")
    with pytest.raises(ValueError, match="roads.zip is not named like"):
        select(data, "", None, Ranges(), 1, "none", tmp_path / "roads.zip")


def test_a_model_takes_the_traffic_of_its_own_map_only(tables: Tables, model: Path, tmp_path: Path) -> None:  # noqa: F811
    from eta_pipeline.places import Place
    from eta_pipeline.serving import load, with_traffic

    trip = Place(60.0, 25.001), Place(60.002, 25.009), datetime(2024, 4, 9, 12)
    slow = tables.paces.assign(pace=tables.paces.pace * 3)
    assert with_traffic(model, tables.segments, slow, tables.factors, tmp_path / "live")
    rides = tables.rides.head(20)
    usual, now = load(model).features(rides), load(tmp_path / "live").features(rides)
    assert now.observed_s.to_numpy() == pytest.approx(3 * usual.observed_s.to_numpy(), rel=1e-6)

    other = tables.segments.assign(segment_id=tables.segments.segment_id.to_numpy()[::-1])
    assert not with_traffic(model, other, slow, tables.factors, tmp_path / "other")
    assert load(tmp_path / "other").predict(*trip) == load(model).predict(*trip)


@pytest.fixture(scope="module")
def defined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Definition]:
    from wingbeat.kernel import definitions_of

    files = [str(ROOT / "examples" / "eta" / name) for name in ("eta.py", "production.py")]
    return {each.name: each for each in definitions_of(files, tmp_path_factory.mktemp("home"))}


@pytest.mark.timeout(180)
def test_the_launch_plans_and_what_starts_them(defined: dict[str, Definition]) -> None:
    from wingbeat.spec.triggers import CronSpec, OnArtifactSpec, RateSpec, ScheduleSpec

    plans = {name: each.plan for name, each in defined.items() if each.plan is not None}
    roads = OnArtifactSpec("maps/production/roads", {"city": "helsinki"}, "roads")
    assert plans["train-on-new-map"].trigger == plans["history-on-new-map"].trigger == roads
    weekly, often = plans["history-weekly"].trigger, plans["traffic-10min"].trigger
    assert isinstance(weekly, ScheduleSpec)
    assert isinstance(often, ScheduleSpec)
    assert weekly.when == CronSpec("0 3 * * MON", "Europe/Helsinki")
    assert (often.when, often.overlap) == (RateSpec(600), "skip")
    assert plans["traffic-10min"].newest["history"].artifact == "eta/production/history"
    published = {spec.name for each in defined.values() for spec in each.closure.workflow.publishes.values()}
    assert published >= {"data", "history", "traffic", "model", "live"}


def test_the_layers_are_the_tasks_of_the_pipeline(defined: dict[str, Definition]) -> None:
    """No second implementation: what production calls is, to the digest, what `eta.py` has."""
    from wingbeat.spec.entities import TaskSpec

    pipeline = defined["eta.eta"].closure.entities
    seen = {
        name: {e.name for d, e in each.closure.entities.items() if isinstance(e, TaskSpec) and d not in pipeline}
        for name, each in defined.items()
    }
    assert seen["production.history"] == {"eta.choose_days", "production.keep_past"}
    assert seen["production.traffic"] == {"eta.choose_days", "production.keep_traffic"}
    assert seen["production.retrain"] == set()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17 or later")
@pytest.mark.timeout(3600)
def test_three_teams_as_the_readme_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "docs"))
    from sessions import Session, play

    for team in ("maps", "eta", "pricing"):
        shutil.copytree(
            ROOT / "examples" / team, tmp_path / team, ignore=shutil.ignore_patterns("tests", "__pycache__")
        )
    text = (ROOT / "examples" / "README.md").read_text()
    play(text, Session(tmp_path, seconds_max=1800, moment_s=2400))
