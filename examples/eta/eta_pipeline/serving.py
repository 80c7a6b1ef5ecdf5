"""The model as a folder, and what answers from it. Validation and serving use this same code.

The folder: boosters as XGBoost JSON or the weights of the convolutional model, the road network, the traffic layer (nothing
left out), the corrections, `model.json`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import xgboost as xgb

from eta_pipeline.clock import Clock
from eta_pipeline.constants import NO_FOLD
from eta_pipeline.convolution import FILE, Network
from eta_pipeline.corrections import Corrections
from eta_pipeline.features import NAMES, World, complete, describe
from eta_pipeline.geo import Array
from eta_pipeline.learning import predict
from eta_pipeline.places import Place
from eta_pipeline.sequences import sequences

VERSION = 1


def save(
    folder: Path,
    learned: Sequence[xgb.Booster] | Network,
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    corrections: pd.DataFrame,
    clock: Clock,
) -> None:
    """Write the model into the folder (made if absent); the same model is the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    boosters = () if isinstance(learned, Network) else learned
    for i, booster in enumerate(boosters):
        booster.save_model(folder / f"trees-{i}.json")
    if isinstance(learned, Network):
        learned.save(folder / FILE)
    tables = {
        "segments": segments,
        "paces": paces[paces.without == NO_FOLD],
        "factors": factors[factors.without == NO_FOLD],
        "corrections": corrections,
    }
    for name, table in tables.items():
        table.reset_index(drop=True).to_parquet(folder / f"{name}.parquet", index=False)
    about = {
        "version": VERSION,
        "features": list(NAMES),
        "boosters": len(boosters),
        "utc_offset_s": clock.utc_offset_s,
        "holidays": [day.isoformat() for day in clock.holidays],
    }
    (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")


def with_traffic(model: Path, segments: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame, folder: Path) -> bool:
    """Copy the model into the folder (made if absent) with another traffic layer, and return whether it has been put there.

    It has not where that layer is of another map: its numbers of segments mean other roads.
    """
    shutil.copytree(model, folder, dirs_exist_ok=True)
    fits = pd.read_parquet(model / "segments.parquet").equals(segments.reset_index(drop=True))
    if fits:
        for name, table in (("paces", paces), ("factors", factors)):
            table[table.without == NO_FOLD].reset_index(drop=True).to_parquet(folder / f"{name}.parquet", index=False)
    return fits


class Predictor:
    """Answers how long a ride takes. Load it once; an answer costs some tens of milliseconds, many at once far less."""

    def __init__(self, learned: Sequence[xgb.Booster] | Network, world: World, corrections: Corrections) -> None:
        self.learned, self.world, self.corrections = learned, world, corrections

    def predict(self, origin: Place, to: Place, at: datetime) -> float:
        """Return the expected seconds from `origin` to `to`, leaving at `at` (without a zone: the city's time)."""
        ride: dict[str, list[float]] = {"start_ts": [self.world.clock.timestamp(at)]}
        ride |= {"start_lat": [origin.lat], "start_lon": [origin.lon], "end_lat": [to.lat], "end_lon": [to.lon]}
        return float(self.predict_rides(pd.DataFrame(ride))[0])

    def predict_rides(self, rides: pd.DataFrame) -> Array:
        """Return the expected seconds of rides with start_ts and the coordinates of both ends."""
        return self.predict_described(rides, self.features(rides))

    def features(self, rides: pd.DataFrame) -> pd.DataFrame:
        """Return the rides' features, as the model takes them."""
        table, trips = describe(rides, self.world)
        return complete(table, self.corrections.log_seconds(trips))

    def predict_described(self, rides: pd.DataFrame, features: pd.DataFrame) -> Array:
        """Return the expected seconds of rides described by `features`."""
        if isinstance(self.learned, Network):
            routes = sequences(rides, self.world)
            return self.learned.predict(routes, features.to_numpy(dtype=float), features.corrected_log_s.to_numpy())
        return predict(self.learned, features)


def load(model: str | Path) -> Predictor:
    """Return the predictor of a model's folder.

    Raises:
        FileNotFoundError: the folder holds no model.
        ValueError: it was made for other features than this code has.
    """
    folder = Path(model)
    if not (folder / "model.json").is_file():
        raise FileNotFoundError(f"{folder} holds no ETA model (no model.json)")
    about = json.loads((folder / "model.json").read_text())
    if about["version"] != VERSION or about["features"] != list(NAMES):
        raise ValueError(f"{folder} was made by another version of this example; train the model again")
    learned: Sequence[xgb.Booster] | Network
    if (folder / FILE).exists():
        learned = Network.load(folder / FILE)
    else:
        learned = [xgb.Booster(model_file=str(folder / f"trees-{i}.json")) for i in range(about["boosters"])]
    segments, paces, factors, table = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("segments", "paces", "factors", "corrections")
    )
    clock = Clock(about["utc_offset_s"], [date.fromisoformat(day) for day in about["holidays"]])
    return Predictor(learned, World.of(segments, paces, factors, clock), Corrections.of_table(table))
