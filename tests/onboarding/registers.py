"""Invented registers of sales, written in the notation of several countries."""

import csv
import datetime
import io
import random
from pathlib import Path


def sales(n=120, seed=1):
    """Invented sales with typed values: date, price, area, kind, place and year built."""
    draw = random.Random(seed)
    first = datetime.date(2021, 1, 4)
    return [
        {
            "id": f"S{number:05d}",
            "date": first + datetime.timedelta(days=draw.randrange(900)),
            "price": draw.randrange(80_000, 900_000, 500),
            "area": round(draw.uniform(30, 190), 1),
            "kind": draw.choice(["flat", "house"]),
            "place": draw.choice(["North", "South", "Harbour"]),
            "built": draw.randrange(1890, 2020),
        }
        for number in range(n)
    ]


def write_csv(path, names, rows, delimiter=",", encoding="utf-8"):
    """A CSV file of texts; cells with the delimiter are quoted."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    if names is not None:
        writer.writerow(names)
    writer.writerows(rows)
    Path(path).write_bytes(text.getvalue().encode(encoding))
    return Path(path)
