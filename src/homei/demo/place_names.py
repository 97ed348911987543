"""Names of districts and streets without limit: base names, then the same names with qualifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Neither directions nor kinds of streets, which addresses may abbreviate.
PREFIXES = (
    "", "Great", "Little", "Upper", "Lower", "Old", "New", "High", "Nether", "Over", "Long", "Broad", "Castle", "Abbey",
    "Bishops", "Kings", "Queens", "Monks", "Fair", "Stony",
)  # fmt: skip
SUFFIXES = (
    "", "Abbas", "Magna", "Parva", "Regis", "Heath", "Green", "Common", "Bridge", "Cross", "Fold", "End", "Down",
    "Vale", "Mount", "Barton", "Newton", "Weir", "Hythe", "Burgh",
)  # fmt: skip


def qualified_name(name: str, variant: int) -> str:
    """The variant of a name with that number; 0 is the name itself, and no two variants are equal."""
    rest, prefix = divmod(variant, len(PREFIXES))
    ordinal, suffix = divmod(rest, len(SUFFIXES))
    parts = (PREFIXES[prefix], name, SUFFIXES[suffix], str(ordinal + 1) if ordinal else "")
    return " ".join(part for part in parts if part)


def name_variants(names: Sequence[str], variants: Iterable[int]) -> list[str]:
    """All names in the first variant, then all in the next one."""
    return [qualified_name(name, variant) for variant in variants for name in names]
