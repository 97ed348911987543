"""Every feed that README.md shows is one that params would accept."""

import re
from pathlib import Path

import pytest
import yaml

from homei import params
from homei.source import KINDS, TABLES

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
CITY, *EXAMPLES = [
    yaml.safe_load(re.sub(rf"(?m)^{indent}", "", block))
    for indent, block in re.findall(r"^( *)```yaml\n(.*?)^\1```", TEXT, re.DOTALL | re.MULTILINE)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: "-".join(example))
def test_an_example_is_part_of_a_source(example):
    source = params.section("source", CITY | example)
    assert {*example} <= {*TABLES}
    for table, declared in example.items():
        feeds = declared if isinstance(declared, list) else [declared]
        assert [feed.name for feed in getattr(source, table)] == [feed["name"] for feed in feeds]


def test_each_kind_has_an_example_and_a_row_of_the_table():
    shown = re.findall(r"kind: ([a-z_]+)", TEXT)
    for kind in KINDS:
        assert kind in shown
        assert f"| `{kind}` |" in TEXT
