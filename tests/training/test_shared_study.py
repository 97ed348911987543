"""Names and databases of studies, and error messages without passwords."""

import sys

import pytest

from homei.training import shared_study
from homei.training.shared_study import StudyError

PASSWORD = "open-sesame"


@pytest.fixture
def name_for(recipe, sections):
    def name(own=recipe, ranges=None, tuning=sections.tuning, data="one"):
        return shared_study.study_name(own, ranges or sections.model.search, tuning, "town", data)

    return name


@pytest.fixture
def joined(monkeypatch):
    """Joins a study at a URL in the environment variable."""

    def join(url):
        monkeypatch.setenv("STUDIES", url)
        return shared_study.join_study("STUDIES", "town", None, None, {}, 30)

    return join


def test_equal_searches_share_a_study_name_and_different_ones_do_not(name_for, recipe, sections):
    first = name_for()
    assert first == name_for()
    assert first.startswith("town-lightgbm-")
    few = {"num_leaves": sections.model.search["num_leaves"]}
    folds = sections.tuning.model_copy(update={"folds": 9})
    others = [
        name_for(data="two"),
        name_for(recipe.with_parameters(alpha=0.2)),
        name_for(ranges=few),
        name_for(tuning=folds),
    ]
    assert len({first, *others}) == 5


def test_the_number_of_trials_does_not_change_the_study(name_for, sections):
    assert name_for() == name_for(tuning=sections.tuning.model_copy(update={"trials": 500}))


def test_postgresql_uses_the_installed_driver(monkeypatch):
    monkeypatch.setenv("STUDIES", "postgresql://reader@db/studies")
    assert shared_study.database_url("STUDIES").drivername == "postgresql+psycopg"


def test_the_error_for_an_unset_variable_names_it(monkeypatch):
    monkeypatch.delenv("STUDIES", raising=False)
    with pytest.raises(StudyError, match="--database STUDIES: this environment variable is not set"):
        shared_study.database_url("STUDIES")


def test_a_url_instead_of_a_name_raises_an_error_without_the_url():
    with pytest.raises(StudyError, match="give the name of the environment variable") as refused:
        shared_study.database_url(f"postgresql://reader:{PASSWORD}@db/studies")
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"studies {PASSWORD}", "STUDIES is not a database URL"),
        (f"postgresql://reader:{PASSWORD}@db:port/studies", "STUDIES is not a database URL"),
        (f"oddsql://reader:{PASSWORD}@db/studies", "oddsql is not a database that SQLAlchemy supports"),
        (f"mssql+pyodbc://reader:{PASSWORD}@db/studies", r"needs a driver: pip install 'homei\[sqlserver\]'"),
        (
            f"postgresql://reader:{PASSWORD}@127.0.0.1:9/studies",
            r"postgresql at 127.0.0.1:9/studies failed: con",
        ),
        (f"postgresql://127.0.0.1:9/studies?password={PASSWORD}", "postgresql at 127.0.0.1:9/studies failed"),
        ("postgresql://reader:open{}sesame@127.0.0.1:9/studies", "postgresql at 127.0.0.1:9/studies failed"),
    ],
)
def test_errors_of_unusable_databases_contain_no_password(joined, url, message):
    with pytest.raises(StudyError, match=message) as refused:
        joined(url)
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_error_for_a_missing_driver_names_the_package(joined, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        StudyError, match=r"STUDIES: postgresql\+psycopg needs a driver: pip install 'homei\[postgresql"
    ):
        joined(f"postgresql://reader:{PASSWORD}@db/studies")
