"""Whatever notation a register is written in, all cells are read as the values that were written."""

import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from registers import sales, write_csv

from homei.config.columns import Column
from homei.ingestion.mapping import mapped
from homei.onboarding.city_guess import guess_city
from homei.onboarding.draft import Answers
from homei.onboarding.input_tables import read_files
from homei.validation.dates import date
from homei.validation.numbers import number

MIDNIGHT = datetime.time()
NOTATIONS = [(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (",", "\u00a0"), (".", "'")]
FORMATS = ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d-%b-%Y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M"]
NAMES = [
    ["id", "sale date", "sale price", "floor area sqm", "type", "district"],
    ["Nr.", "Kaufdatum", "Kaufpreis", "Wohnfläche", "Objektart", "Ortsteil"],
    ["N°", "Date mutation", "Valeur foncière", "Surface", "Type local", "Commune"],
]


def written(value, decimal, thousands, decimals):
    return f"{value:,.{decimals}f}".translate(str.maketrans({",": thousands, ".": decimal}))


@given(
    seed=st.integers(0, 1_000),
    notation=st.sampled_from(NOTATIONS),
    date_format=st.sampled_from(FORMATS),
    names=st.sampled_from(NAMES),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    sign=st.sampled_from(["{}", "€ {}", "{} EUR", "£{}"]),
    decimals=st.sampled_from([0, 2]),
)
# Shrinking reads a register for each step: the first failure says enough.
@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate],
          suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
def test_all_cells_are_read_as_written(seed, notation, date_format, names, delimiter, encoding, sign, decimals):
    rows, (decimal, thousands) = sales(80, seed), notation
    cells = [
        [
            row["id"], f"{datetime.datetime.combine(row['date'], MIDNIGHT):{date_format}}",
            sign.format(written(row["price"], decimal, thousands, decimals)),
            written(row["area"], decimal, thousands, 1),
            row["kind"], row["place"],
        ]
        for row in rows
    ]  # fmt: skip
    with TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "register.csv", names, cells, delimiter, encoding)
        (table,) = read_files([path], {})
    # Whole thousands with a point could be decimals only if they were plausible as such: no question is left.
    draft = guess_city("town", [table], Answers({"currency": "GBP" if "£" in sign else "EUR"}))
    assert draft.questions == []
    declared = {name: Column.model_validate(guess.value) for name, guess in draft.feeds[0].columns.items()}
    columns = mapped(table.sheet, declared)
    currency = draft.city["currency"].value
    read = {
        "sale_date": [date(cell, declared["sale_date"]) for cell in columns["sale_date"].to_pylist()],
        "price": [number(cell, declared["price"], currency) for cell in columns["price"].to_pylist()],
        "square_meters": [number(cell, declared["square_meters"]) for cell in columns["square_meters"].to_pylist()],
    }
    assert read["sale_date"] == [row["date"] for row in rows]
    assert read["price"] == [row["price"] for row in rows]
    assert read["square_meters"] == [row["area"] for row in rows]
    assert columns["property_type"].to_pylist() == [row["kind"] for row in rows]
    assert columns["location"].to_pylist() == [row["place"] for row in rows]
