"""The page of a search that several processes share: each of them writes it at its end."""

import subprocess
import sys

from homei.report.shared_search import PAGE

WRITING = """
import sys
from homei.report.shared_search import put
for _ in range(300):
    put(sys.argv[1] * 100_000)
"""


def test_processes_that_end_at_the_same_moment_leave_one_whole_page(tmp_path):
    both = [subprocess.Popen([sys.executable, "-c", WRITING, letter], cwd=tmp_path) for letter in "ab"]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert (tmp_path / PAGE).read_text() in ("a" * 100_000, "b" * 100_000)
    assert [path.name for path in (tmp_path / PAGE).parent.iterdir()] == [PAGE.name]
