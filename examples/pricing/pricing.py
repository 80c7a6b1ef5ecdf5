"""The pricing team: what a ride costs, by the ETA team's answer to how long it takes.

That answer is a task of theirs which is registered: it runs from their code, in their environment, with XGBoost and all. Nothing
of it has to be installed here. See README.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from wingbeat import Artifact, Directory, LaunchPlan, Newest, OnArtifact, reference, task, workflow

CITY, ZONE = "helsinki", ZoneInfo("Europe/Helsinki")
HERE = {"city": CITY}

answer = reference("eta/production/eta.answer@v1")


@dataclass(frozen=True)
class Place:
    """A place in degrees, WGS 84."""

    lat: float
    lon: float


@dataclass(frozen=True)
class Tariff:
    """What a ride costs: to begin with, by the minute, and at least, in euros; and the factor of a busy hour."""

    base: float = 3.5
    minute: float = 0.9
    least: float = 6.0
    busy: float = 1.25


@dataclass(frozen=True)
class Quote:
    """A price in euros, and what it was made of."""

    price: float
    minutes: float
    busy: bool


@dataclass(frozen=True)
class Trip:
    """A ride that is priced for the list."""

    name: str
    origin: Place
    to: Place
    at: datetime


STATION, MARKET, PARK = Place(60.1712, 24.9410), Place(60.1676, 24.9527), Place(60.1602, 24.9352)
TRIPS = (
    Trip("station to market, at noon", STATION, MARKET, datetime(2026, 6, 2, 12, tzinfo=ZONE)),
    Trip("station to market, in the evening peak", STATION, MARKET, datetime(2026, 6, 2, 17, tzinfo=ZONE)),
    Trip("park to station, in the evening peak", PARK, STATION, datetime(2026, 6, 2, 17, tzinfo=ZONE)),
)


def is_busy(at: datetime) -> bool:
    """Whether it is rush hour: 7 to 9 and 16 to 18 on Monday to Friday, by the city's time, which is that of what has no zone."""
    local = at if at.tzinfo is None else at.astimezone(ZONE)
    return local.weekday() < 5 and local.hour in (7, 8, 16, 17)


@task
def charge(seconds: float, at: datetime, tariff: Tariff) -> Quote:
    """The price of a ride that takes so long, rounded up to ten cents."""
    busy = is_busy(at)
    price = (tariff.base + tariff.minute * seconds / 60.0) * (tariff.busy if busy else 1.0)
    return Quote(max(tariff.least, math.ceil(price * 10) / 10), round(seconds / 60.0, 1), busy)


@task
def write_list(names: list[str], quotes: list[Quote]) -> dict[str, Quote]:
    """The price list."""
    return dict(zip(names, quotes, strict=True))


@workflow
def price(model: Directory, origin: Place, to: Place, at: datetime, tariff: Tariff = Tariff()) -> Quote:
    """What a ride costs.

    Args:
        model: Of the ETA team.
        origin: Where it begins.
        to: Where it ends.
        at: When it begins; without a zone, in the city's time.
        tariff: Of the ride.
    """
    return charge(seconds=answer(model=model, origin=origin, to=to, at=at), at=at, tariff=tariff)


@workflow(publishes={"o0": Artifact("price-list", partitions={"city": "city"})})
def price_list(city: str, model: Directory, tariff: Tariff = Tariff()) -> dict[str, Quote]:
    """What some rides cost by this model."""
    quotes = [price(model=model, origin=t.origin, to=t.to, at=t.at, tariff=tariff) for t in TRIPS]
    return write_list(names=[t.name for t in TRIPS], quotes=quotes)


now = LaunchPlan(
    price,
    name="price",
    inputs={"model": Newest("eta/production/live", partitions=HERE)},
    doc="A price by the newest model and the traffic of now.",
)
on_new_model = LaunchPlan(
    price_list,
    name="list-on-new-model",
    inputs={"model": Newest("eta/production/model", partitions=HERE)},
    fixed=HERE,
    trigger=OnArtifact("eta/production/model", partitions=HERE, input="model"),
    doc="A price list for each model.",
)
