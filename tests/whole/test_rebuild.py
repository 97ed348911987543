"""A rebuild in a fresh clone, killed in three stages and finished, has every byte that dvc.lock records."""

import pytest
from project_copy import PROJECT, git_changes, run

pytestmark = pytest.mark.slow


def test_a_killed_and_finished_rebuild_has_every_byte_of_the_committed_dvc_lock(rebuilt_city):
    assert git_changes(rebuilt_city) == ""
    assert (rebuilt_city / "dvc.lock").read_text() == (PROJECT / "dvc.lock").read_text()
    assert not list(rebuilt_city.glob("[dmr]*/**/.*.writing"))


def test_a_second_run_has_nothing_to_do(rebuilt_city):
    assert "up to date" in run(["dvc", "repro"], rebuilt_city).stdout


def test_verify_passes_and_then_names_the_packaged_model_with_a_flipped_byte(rebuilt_city):
    assert "dvc.lock" in run(["homei", "verify"], rebuilt_city).stdout
    model = next(path for path in sorted((rebuilt_city / "models/bentos").rglob("*")) if path.name == "model.txt")
    before = model.read_bytes()
    model.write_bytes(bytes([before[0] ^ 1]) + before[1:])
    try:
        result = run(["homei", "verify"], rebuilt_city, check=False)
    finally:
        model.write_bytes(before)
    assert result.returncode != 0
    assert "Bento" in result.stderr or "model.txt" in result.stderr
