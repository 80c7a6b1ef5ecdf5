"""Two tasks that hand a GeoDataFrame on, and one that reads it as a plain table."""

import asyncio

import pandas as pd
from geopandas import GeoDataFrame
from shapely import Point

from wingbeat import Kernel, task, workflow


@task
def stops(count: int) -> GeoDataFrame:
    return GeoDataFrame({"stop": range(count)}, geometry=[Point(n, 0) for n in range(count)], crs=25832)


@task
def reach(stops: GeoDataFrame, metres: float) -> GeoDataFrame:
    return stops.set_geometry(stops.buffer(metres))


@task
def summary(areas: GeoDataFrame, table: pd.DataFrame) -> str:
    return f"{len(table)} areas of {areas.area.sum():.0f} m² in {areas.crs.to_string()}, {', '.join(table.columns)}"


@workflow
def pipeline(count: int = 3, metres: float = 100.0) -> str:
    areas = reach(stops(count), metres)
    return summary(areas, areas)


async def main() -> None:
    async with Kernel("home") as kernel:
        said = await (await kernel.launch(pipeline, {})).result()
    print(said)
    assert said.startswith("3 areas of 94")
    assert said.endswith("m² in EPSG:25832, stop, geometry")


if __name__ == "__main__":
    asyncio.run(main())
