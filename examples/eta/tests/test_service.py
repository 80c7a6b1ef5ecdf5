"""The service, over a home in which a pipeline has made a model."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from test_model import model, tables  # noqa: F401  # fixtures

from wingbeat import Directory, Kernel, NotFound, task, workflow

MODEL = ""


class Made(NamedTuple):
    model: Directory


@task
def train() -> Made:
    return Made(Directory(MODEL))


@workflow(name="eta.eta")
def pipeline() -> Made:
    return train()


@pytest.fixture
async def home(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811  # the fixture
    monkeypatch.setitem(globals(), "MODEL", str(model))

    async with Kernel(tmp_path / "home", inline=[train]) as kernel:
        await (await kernel.launch(pipeline)).result()
    return tmp_path / "home"


async def test_it_answers_with_the_model_of_the_newest_execution(home: Path, model: Path) -> None:  # noqa: F811
    import httpx
    from eta_pipeline.places import Place
    from eta_pipeline.serving import load
    from service import app

    expected = load(model).predict(Place(60.17, 24.94), Place(60.18, 24.95), datetime(2024, 4, 9, 12))
    service = app(home)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://service")
    async with service.router.lifespan_context(service), client:
        answer = (await client.get("/eta?origin=60.17,24.94&to=60.18,24.95&at=2024-04-09T12:00")).json()
        assert answer["seconds"] == pytest.approx(expected, abs=0.1)
        wrong = await client.get("/eta?origin=here&to=60.18,24.95&at=2024-04-09T12:00")
        assert wrong.status_code == 400
        assert "origin=LAT,LON" in wrong.json()["error"]


async def test_without_a_model_it_says_what_to_run(tmp_path: Path) -> None:
    from service import newest_model

    with pytest.raises(NotFound, match="There is no home"):
        await newest_model(tmp_path / "none")
