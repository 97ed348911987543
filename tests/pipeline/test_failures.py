"""Errors of commands become messages that say what failed, where, and what to do."""

import errno

import pandas as pd
import pytest

from homei.ingestion.connectors.text_rows import SourceError
from homei.pipeline import failures
from homei.validation.contracts import with_ratio


def raised(action):
    with pytest.raises(Exception) as caught:
        action()
    return caught.value


def test_an_error_that_homei_raised_speaks_for_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert failures.message(SourceError("deeds.csv: is empty"), ["ingest", "sales"]) == "deeds.csv: is empty"
    assert not failures.LOGS.exists()


def test_an_unexpected_error_names_command_place_and_remedy_and_leaves_its_traceback_in_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken = pd.DataFrame({"price": ["x"], "square_meters": [1.0]})
    shown = failures.message(raised(lambda: with_ratio(broken)), ["ingest", "sales"])
    assert "`homei ingest sales` failed: TypeError" in shown
    assert "In homei/validation/contracts.py, line" in shown
    assert "reports/errors/ingest_sales.log" in shown
    assert "Traceback" not in shown
    assert "Traceback" in (failures.LOGS / "ingest_sales.log").read_text()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "too little memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full: free space"),
        (PermissionError(errno.EACCES, "Permission denied", "data/raw"), "right to read and write data/raw"),
        (FileNotFoundError(errno.ENOENT, "No such file", "java"), "java is missing"),
        (KeyError("mdape"), "Nothing is called 'mdape'"),
        (RuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited"), "`homei java`"),
        (pd.errors.MergeError("keys"), "fault of homei or of a library"),
    ],
)
def test_each_kind_of_error_has_its_remedy(error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in failures.message(error, ["features"])


def test_a_folder_that_cannot_be_written_hides_no_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").write_text("a file in the way")
    assert "HOMEI_DEBUG=1 shows it" in failures.message(KeyError("x"), ["tune"])
