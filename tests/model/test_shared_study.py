"""Which study it is, where it is kept, and messages that never tell a password."""

import sys

import pytest

from homei.model import shared_study
from homei.model.shared_study import StudyError

PASSWORD = "open-sesame"


@pytest.fixture
def named(recipe, sections):
    def name(own=recipe, ranges=None, tuning=sections.tuning, data="one"):
        return shared_study.name_of(own, ranges or sections.model.search, tuning, "town", data)

    return name


@pytest.fixture
def joined(monkeypatch):
    """Joins a study at the address that the environment variable holds."""

    def join(url):
        monkeypatch.setenv("STUDIES", url)
        return shared_study.join("STUDIES", "town", None, None, {}, 30)

    return join


def test_the_same_search_is_the_same_study_and_any_other_one_is_not(named, recipe, sections):
    first = named()
    assert first == named()
    assert first.startswith("town-lightgbm-")
    few = {"num_leaves": sections.model.search["num_leaves"]}
    folds = sections.tuning.model_copy(update={"folds": 9})
    others = [named(data="two"), named(recipe.with_parameters(alpha=0.2)), named(ranges=few), named(tuning=folds)]
    assert len({first, *others}) == 5


def test_more_trials_are_no_other_study(named, sections):
    assert named() == named(tuning=sections.tuning.model_copy(update={"trials": 500}))


def test_postgresql_is_asked_by_the_driver_that_there_is(monkeypatch):
    monkeypatch.setenv("STUDIES", "postgresql://reader@db/studies")
    assert shared_study.address("STUDIES").drivername == "postgresql+psycopg"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("STUDIES", raising=False)
    with pytest.raises(StudyError, match="--database STUDIES: this environment variable is not set"):
        shared_study.address("STUDIES")


def test_an_address_in_the_place_of_a_name_is_refused_and_not_told():
    with pytest.raises(StudyError, match="give the name of the environment variable") as refused:
        shared_study.address(f"postgresql://reader:{PASSWORD}@db/studies")
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"studies {PASSWORD}", "STUDIES holds no address of a database"),
        (f"postgresql://reader:{PASSWORD}@db:port/studies", "STUDIES holds no address of a database"),
        (f"oddsql://reader:{PASSWORD}@db/studies", "oddsql is no kind of database that SQLAlchemy knows"),
        (f"mssql+pyodbc://reader:{PASSWORD}@db/studies", r"needs a driver: pip install 'homei\[sqlserver\]'"),
        (
            f"postgresql://reader:{PASSWORD}@127.0.0.1:9/studies",
            r"postgresql at 127.0.0.1:9/studies can't be used: con",
        ),
        (f"postgresql://127.0.0.1:9/studies?password={PASSWORD}", "postgresql at 127.0.0.1:9/studies can't be used"),
        ("postgresql://reader:open{}sesame@127.0.0.1:9/studies", "postgresql at 127.0.0.1:9/studies can't be used"),
    ],
)
def test_an_address_that_does_not_serve_is_told_without_its_password(joined, url, said):
    with pytest.raises(StudyError, match=said) as refused:
        joined(url)
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_missing_driver_of_postgresql_says_what_installs_it(joined, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        StudyError, match=r"STUDIES: postgresql\+psycopg needs a driver: pip install 'homei\[postgresql"
    ):
        joined(f"postgresql://reader:{PASSWORD}@db/studies")
