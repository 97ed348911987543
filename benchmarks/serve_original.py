"""The original design, for `benchmarks/serve.py`: gradient boosting and a scaler behind Flask's server.

It uses five attributes of a property, no market and no comparables, and checks nothing.
"""

import os
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from flask import Flask, jsonify, request
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.preprocessing import StandardScaler

FOLDER = "HOMEI_ORIGINAL"  # the environment variable with the folder that `fit` wrote to
PATH = "/api/v1/predict/price"
NUMBERS = ["square_meters", "year_built", "floor"]
CODES = ["property_type", "location"]
MAX_SALES = 20_000  # the latest


def fit(sales: pd.DataFrame, folder: Path) -> None:
    """Writes model.joblib, scaler.joblib and codes.joblib, fitted to the latest sales."""
    sales = sales.tail(MAX_SALES)
    codes = {name: {text: code for code, text in enumerate(sorted(sales[name].dropna().unique()))} for name in CODES}
    matrix = np.column_stack(
        [*(sales[name].fillna(0) for name in NUMBERS), *(sales[name].map(codes[name]).fillna(-1) for name in CODES)]
    )
    scaler = StandardScaler().fit(matrix)
    model = GradientBoostingRegressor(random_state=0).fit(scaler.transform(matrix), sales["price"])
    for name, part in {"model": model, "scaler": scaler, "codes": codes}.items():
        joblib.dump(part, folder / f"{name}.joblib")


def app_of(folder: Path) -> Flask:
    """The app with the files that `fit` wrote."""
    model, scaler, codes = (joblib.load(folder / f"{name}.joblib") for name in ("model", "scaler", "codes"))
    app = Flask(__name__)

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.post(PATH)
    def price():
        attributes = request.get_json()
        row = [attributes.get(name) or 0 for name in NUMBERS]
        row += [codes[name].get(attributes.get(name), -1) for name in CODES]
        value = model.predict(scaler.transform(np.array([row])))[0]
        return jsonify(predicted_price=round(float(value), 2))

    return app


def create_app() -> Flask:
    """The factory that `flask run` calls."""
    return app_of(Path(os.environ[FOLDER]))
