"""The original design, for `benchmarks/serve.py` to compare with: gradient boosting and a scaler, kept by joblib,
behind Flask's development server. It knows five attributes of a home, no market and no comparables, and checks nothing.
"""

import os
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from flask import Flask, jsonify, request
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.preprocessing import StandardScaler

FOLDER = "HOMEI_ORIGINAL"  # the environment variable that names where `fit` wrote its files
PATH = "/api/v1/predict/price"
NUMBERS = ["square_meters", "year_built", "floor"]
CODES = ["property_type", "location"]
MOST = 20_000  # sales to learn from, the latest


def fit(sales: pd.DataFrame, folder: Path) -> None:
    """Writes model.joblib, scaler.joblib and codes.joblib, learnt from sales with what the model knows and a price."""
    sales = sales.tail(MOST)
    codes = {name: {text: code for code, text in enumerate(sorted(sales[name].dropna().unique()))} for name in CODES}
    matrix = np.column_stack(
        [*(sales[name].fillna(0) for name in NUMBERS), *(sales[name].map(codes[name]).fillna(-1) for name in CODES)]
    )
    scaler = StandardScaler().fit(matrix)
    model = GradientBoostingRegressor(random_state=0).fit(scaler.transform(matrix), sales["price"])
    for name, part in {"model": model, "scaler": scaler, "codes": codes}.items():
        joblib.dump(part, folder / f"{name}.joblib")


def created(folder: Path) -> Flask:
    """The app over what `fit` wrote."""
    model, scaler, codes = (joblib.load(folder / f"{name}.joblib") for name in ("model", "scaler", "codes"))
    app = Flask(__name__)

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.post(PATH)
    def price():
        home = request.get_json()
        known = [home.get(name) or 0 for name in NUMBERS] + [codes[name].get(home.get(name), -1) for name in CODES]
        value = model.predict(scaler.transform(np.array([known])))[0]
        return jsonify(predicted_price=round(float(value), 2))

    return app


def create_app() -> Flask:
    """What `flask run` calls."""
    return created(Path(os.environ[FOLDER]))
