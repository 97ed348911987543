"""A city that is not in the repository: one mapping, six kinds of files, no code."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from homei.config import params
from homei.ingestion import ingest
from homei.storage import lake
from homei.validation import validate

MAPPING = """
city:
  name: orleans
  title: Orléans
  currency: EUR
  as_of: 2024-12-31
  folder: data/external/orleans
  coordinates: {origin: [47.9, 1.9]}
  attributes: {categorical: [state]}
feeds:
 sales:
  kind: files
  files: [sales.*]
  delimiter: ";"
  encoding: latin-1
  columns:
    sale_date: {column: "Vendu le", format: "%d/%m/%Y"}
    price: {column: Prix, thousands: " ", decimal: ","}
    square_meters: {column: Surface, unit: square_feet, decimal: ","}
    property_type: {constant: maison}
    location: Quartier
    property_id: {template: "{No} {Rue}"}
    state: "État"
contract:
  required: []
  ranges: {price_per_square_meter: [500, 20000]}
"""
ROWS = [
    ["15/03/2024", "250 000,50", "1000,5", "Saint-Marceau", "3", "rue de la Bourie", "rénové"],
    ["16/03/2024", "310 000", "1200", "Châtelet", "4", "rue Royale", ""],
    ["32/03/2024", "310 000", "1200", "Châtelet", "5", "rue Royale", "neuf"],
    ["17/03/2024", "310", "1200", "Châtelet", "6", "rue Royale", "neuf"],
]
NAMES = ["Vendu le", "Prix", "Surface", "Quartier", "No", "Rue", "État"]
CSV = "\r\n".join(";".join(row) for row in [NAMES, *ROWS]).encode("latin-1")


def typed():
    """The same rows as a program with types would keep them."""
    frame = pd.DataFrame(ROWS, columns=NAMES)
    frame["Vendu le"] = pd.to_datetime(frame["Vendu le"], format="%d/%m/%Y", errors="coerce")
    frame["No"] = frame["No"].astype(float)
    return frame


def write_json_lines(path):
    rows = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    path.write_bytes("\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode("latin-1"))


WRITERS = {
    "sales.csv": lambda path: path.write_bytes(CSV),
    "sales.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV, mtime=0)),
    "sales.txt": lambda path: path.write_bytes(CSV.replace(b"\r\n", b"\n")),
    "sales.jsonl": write_json_lines,
    "sales.xlsx": lambda path: typed().to_excel(path, index=False),
    "sales.parquet": lambda path: typed().to_parquet(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_one_mapping_reads_any_kind_of_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = params.source(yaml.safe_load(MAPPING))
    Path(source.city.folder).mkdir(parents=True)
    WRITERS[name](Path(source.city.folder) / name)

    for table in lake.RAW:
        ingest.run(table, source.city, source.feeds)
    validate.run(*source, params.section("validate", {"max_rejected_share": 0.5}))

    sales = lake.read(lake.VALID["sales"])
    assert sales["sale_date"].dt.strftime("%Y-%m-%d").tolist() == ["2024-03-15", "2024-03-16"]
    assert sales["price"].tolist() == [250000.5, 310000.0]
    assert sales["square_meters"].tolist() == [92.949492, 111.483648]
    assert sales["location"].tolist() == ["Saint-Marceau", "Châtelet"]
    assert sales["property_type"].tolist() == ["maison"] * 2
    assert sales["property_id"].tolist() == ["3 rue de la Bourie", "4 rue Royale"]
    assert sales["state"].tolist() == ["rénové", None]
    # A typed file can't hold the 32nd of March at all.
    date = "missing" if name in ("sales.xlsx", "sales.parquet") else "not a date"
    assert lake.read(lake.QUARANTINE)["reasons"].tolist() == [
        f"sale_date: {date}",
        "price_per_square_meter: outside [500, 20000]",
    ]
