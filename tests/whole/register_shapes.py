"""Registers of invented sales in the shapes of two public data sets, with the right values of each sale."""

from __future__ import annotations

import numpy as np
import pandas as pd

SQUARE_METERS = 0.09290304  # in a square foot


def county(size: int = 4000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A county in the shape of King County's sales, and the right values: thirteen months, one type, square feet.

    Dates are like `20141013T000000`, bathrooms come in quarters, and a basement of 0 and a renovation in year 0 mean
    that there is none. One sale in 100 repeats a property.
    """
    random = np.random.default_rng(31)
    days = pd.Timestamp("2014-05-02") + pd.to_timedelta(random.integers(0, 390, size), unit="D")
    code = random.integers(0, 30, size)
    feet, grade = random.integers(60, 420, size) * 10, random.integers(5, 12, size)
    built = random.integers(1905, 2014, size)
    level = 11.4 + 0.03 * code % 0.9 + 0.08 * (grade - 7) + 0.001 * (built - 1970)
    price = np.exp(level + 0.45 * np.log(feet / 2000) + random.normal(0, 0.12, size)) * 4
    ids = 1_000_000_000 + random.permutation(8_000_000)[:size] * 1000
    ids[::100] = np.roll(ids, 7)[::100]
    sold = pd.DataFrame(
        {
            "id": [f"{number:010}" for number in ids],
            "date": days.strftime("%Y%m%dT000000"),
            "price": np.round(price, -3).astype(int),
            "bedrooms": random.integers(1, 6, size),
            "bathrooms": random.integers(4, 14, size) / 4,
            "sqft_living": feet,
            "sqft_lot": feet * random.integers(2, 6, size),
            "floors": random.choice([1.0, 1.5, 2.0], size),
            "waterfront": (random.random(size) < 0.01).astype(int),
            "condition": random.integers(2, 6, size),
            "grade": grade,
            "sqft_basement": random.choice([0, 400, 700], size, p=[0.6, 0.2, 0.2]),
            "yr_built": built,
            "yr_renovated": np.where(random.random(size) < 0.05, 2005, 0),
            "zipcode": 98001 + code,
            "lat": np.round(47.3 + code / 60 + random.normal(0, 0.01, size), 4),
            "long": np.round(-122.3 + code % 6 / 12 + random.normal(0, 0.01, size), 3),
        }
    )
    right = pd.DataFrame(
        {"sale_date": days, "price": sold["price"].astype(float), "square_meters": feet * SQUARE_METERS}
    )
    return sold, right


SUBURBS = [
    "Alder Vale", "Brunswick East", "Carrum", "Doncaster", "Essendon", "Footscray", "Glen Iris", "Hawthorn",
    "Ivanhoe", "Kew", "Malvern", "Northcote", "Preston", "Reservoir", "St Kilda", "Toorak",
]  # fmt: skip
TYPES = {"h": "house, cottage or villa", "u": "unit, duplex", "t": "townhouse"}


def suburbs(size: int = 5000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A city in the shape of Melbourne's sales, and the right values of its rows: half of them without an area.

    Twenty-four months of which two have no sale, dates like `3/12/16` (the day first), types as sentences, misspelt
    names of the coordinates, and rows without a price: those were passed in and not sold.
    """
    random = np.random.default_rng(32)
    months = [
        month for month in pd.period_range("2016-01", "2017-12", freq="M") if str(month) not in ("2016-01", "2016-03")
    ]
    month, day = random.integers(0, len(months), size), random.integers(1, 29, size)
    days = pd.to_datetime([f"{months[at]}-{of:02}" for at, of in zip(month, day, strict=True)])
    suburb, kind = random.integers(0, len(SUBURBS), size), random.choice(list(TYPES), size, p=[0.65, 0.25, 0.1])
    area = random.integers(40, 320, size)
    price = np.exp(8.9 + 0.05 * suburb + 0.8 * np.log(area) + 0.1 * (kind == "h") + random.normal(0, 0.15, size))
    price = np.round(price, -3)
    is_sold, has_area = random.random(size) < 0.78, random.random(size) < 0.52
    sold = pd.DataFrame(
        {
            "Suburb": [SUBURBS[at] for at in suburb],
            "Address": [f"{number} Park St" for number in random.integers(1, 4000, size)],
            "Rooms": random.integers(1, 6, size),
            "Type": [TYPES[at] for at in kind],
            "Price": [f"{at:.0f}" if kept else "" for at, kept in zip(price, is_sold, strict=True)],
            "Method": np.where(is_sold, random.choice(["S", "SP", "VB"], size), "PI"),
            "Date": [f"{at.day}/{at.month:02}/{at:%y}" for at in days],
            "Distance": np.round(random.uniform(1, 30, size), 1),
            "Postcode": 3000 + suburb,
            "Bathroom": random.integers(1, 4, size),
            "Car": random.integers(0, 4, size),
            "Landsize": area * 3,
            "BuildingArea": [str(at) if kept else "" for at, kept in zip(area, has_area, strict=True)],
            "YearBuilt": [str(at) if at > 1935 else "" for at in random.integers(1900, 1990, size)],
            "CouncilArea": [f"Council {at % 4}" for at in suburb],
            "Lattitude": np.round(-37.9 + suburb / 80 + random.normal(0, 0.005, size), 5),
            "Longtitude": np.round(144.9 + suburb % 4 / 20 + random.normal(0, 0.005, size), 5),
        }
    )
    right = pd.DataFrame({"sale_date": days, "price": price, "square_meters": np.where(has_area, area, np.nan)})
    return sold, right.where(pd.Series(is_sold), axis=0)
