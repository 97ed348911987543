"""The page of a parallel search, which each of its processes writes."""

import subprocess
import sys

from homei.reporting.parallel_search_page import PAGE

WRITER = """
import sys
from homei.reporting.parallel_search_page import write_page
for _ in range(100):
    write_page(sys.argv[1] * 100_000)
"""


def test_concurrent_writers_leave_one_complete_page(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, letter], cwd=tmp_path) for letter in "ab"]
    assert [process.wait(timeout=120) for process in writers] == [0, 0]
    assert (tmp_path / PAGE).read_text() in ("a" * 100_000, "b" * 100_000)
    assert [path.name for path in (tmp_path / PAGE).parent.iterdir()] == [PAGE.name]
