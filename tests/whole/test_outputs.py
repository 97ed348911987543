"""Each stage writes its declared outputs, and nothing else that dvc.yaml would have to declare."""

import pytest

pytestmark = pytest.mark.slow

# The Bento's store and the warehouse are no outputs of the graph: a record and a receipt stand for them.
NOT_DECLARED = ("models/bentos", "data/warehouse", ".homei", "src")


def test_a_stage_writes_its_declared_outputs_and_nothing_else(small_city):
    for command, outputs in small_city.declared.items():
        written = small_city.written[command]
        assert all(any(path == out or path.startswith(f"{out}/") for path in written) for out in outputs), command
        strays = {path for path in written if not path.startswith((*outputs, *NOT_DECLARED))}
        assert not strays, f"{command} writes {sorted(strays)[:5]}, which dvc.yaml does not declare"
