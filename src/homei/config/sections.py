"""The sections of params.yaml, each with the class that checks it.

Each package owns its configuration class. Classes are imported by name when a section is read, so that a stage
depends only on the packages that it uses.
"""

from __future__ import annotations

import pkgutil

SECTIONS: dict[str, str] = {
    "seed": "builtins:int",
    "city": "homei.config.city:CityConfig",
    "feeds": "homei.config.feeds:FeedsConfig",
    "contract": "homei.config.city:ContractConfig",
    "fetch": "homei.ingestion.feeds:FetchConfig",
    "storage": "homei.storage.config:StorageConfig",
    "spark": "homei.spark.config:SparkConfig",
    "model": "homei.training.config:ModelConfig",
    "tuning": "homei.training.config:TuningConfig",
    "simulate": "homei.demo.config:SimulateConfig",
    "validate": "homei.validation.config:ValidateConfig",
    "resolve": "homei.resolution.config:ResolveConfig",
    "features": "homei.features.config:FeaturesConfig",
    "split": "homei.training.config:SplitConfig",
    "train": "homei.training.config:TrainConfig",
    "intervals": "homei.training.config:IntervalsConfig",
    "applicability": "homei.training.config:ApplicabilityConfig",
    "evaluate": "homei.evaluation.config:EvaluateConfig",
    "backtest": "homei.training.config:BacktestConfig",
    "promote": "homei.registry.config:PromoteConfig",
    "experiment": "homei.registry.config:ExperimentConfig",
    "drift": "homei.evaluation.config:DriftConfig",
    "curate": "homei.curated.config:CurateConfig",
    "package": "homei.registry.config:PackageConfig",
    "serve": "homei.serving.config:ServeConfig",
    "publish": "homei.warehouse.config:PublishConfig",
}


def section_class(name: str) -> type:
    """The class of one section; raises KeyError for a name that is not in SECTIONS."""
    return pkgutil.resolve_name(SECTIONS[name])
