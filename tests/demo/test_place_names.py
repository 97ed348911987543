"""Names of districts and streets: as many as a region needs, none twice."""

from homei.demo.addresses import FIRST_PARTS, LAST_PARTS
from homei.demo.place_names import name_variants, qualified_name
from homei.demo.tiles import Tile


def test_the_first_variant_of_a_name_is_the_name_itself():
    assert qualified_name("Saltmarsh", 0) == "Saltmarsh"
    assert qualified_name("Saltmarsh", 1) == "Great Saltmarsh"
    assert qualified_name("Saltmarsh", 20) == "Saltmarsh Abbas"
    assert qualified_name("Saltmarsh", 400) == "Saltmarsh 2"


def test_no_two_variants_of_the_names_are_equal():
    names = [first + last for first in FIRST_PARTS for last in LAST_PARTS]
    variants = name_variants(names, range(900)[::9])
    assert len(set(variants)) == len(variants) == 57_600


def test_no_two_tiles_share_a_variant():
    variants = [variant for number in range(7) for variant in Tile(number, count=7).variants(3)]
    assert sorted(variants) == list(range(21))
