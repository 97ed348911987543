"""The declaration of a simulated region for params/city/: its files, coordinates and contract."""

from __future__ import annotations

import math
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from homei.config.city import CityConfig
from homei.config.projection import METRES_PER_DEGREE
from homei.demo.tiles import region_radius
from homei.storage import lake

CITIES = Path("params/city")
WRITTEN_BY = "Written by `homei simulate`"


def declaration_path(name: str) -> Path:
    """The path params/city/NAME.yaml of a simulated region.

    Raises ValueError for a bad name, or if the file exists and was not written by `homei simulate`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"--name {name}: must have small letters, digits and _ only, and begin with a letter")
    path = CITIES / f"{name}.yaml"
    if path.exists() and WRITTEN_BY not in path.read_text(encoding="utf-8"):
        raise ValueError(f"{path} exists and is not a simulated region's: choose another --name")
    return path


def write_declaration(name: str, city: CityConfig, *, n_sales: int, n_tiles: int, seed: int, file_format: str) -> Path:
    """Writes params/city/NAME.yaml with the folder, as_of and coordinate origin of `city`."""
    path, radius = declaration_path(name), region_radius(n_tiles)
    template = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    ).get_template("region.yaml.j2")
    latitude, longitude = city.coordinates.origin
    text = template.render(
        written_by=WRITTEN_BY,
        name=name,
        folder=city.folder,
        as_of=city.as_of,
        origin=[latitude, longitude],
        radius_km=math.ceil(radius / 1000),
        latitude=_range(latitude, radius / METRES_PER_DEGREE),
        longitude=_range(longitude, radius / METRES_PER_DEGREE / math.cos(math.radians(latitude))),
        n_sales=n_sales,
        n_tiles=n_tiles,
        seed=seed,
        file_format=file_format,
    )
    lake.write_text(text, path)
    return path


def _range(centre: float, reach: float) -> list[float]:
    return [math.floor(100 * (centre - reach)) / 100, math.ceil(100 * (centre + reach)) / 100]
