"""Who sold and who bought: made-up people and companies, in a chain from sale to sale of each home."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.oddities import BULK, FAMILY, neighbours

GIVEN = (
    "Abel", "Adina", "Alma", "Anton", "Bela", "Benno", "Bruna", "Casimir", "Clio", "Dario", "Delia", "Edda", "Elias",
    "Enzo", "Fabia", "Felix", "Flora", "Gerda", "Gustav", "Hanno", "Hedda", "Ida", "Ilya", "Ines", "Jaro", "Jola",
    "Kaya", "Konrad", "Lena", "Levin", "Lina", "Magda", "Marek", "Mila", "Nadia", "Nils", "Noemi", "Odo", "Olga",
    "Otis", "Pavel", "Petra", "Rasmus", "Rita", "Rufus", "Selma", "Silas", "Tamar", "Theo", "Tilda", "Ugo", "Uma",
    "Vera", "Viktor", "Wanda", "Wenzel", "Xenia", "Yara", "Yuri", "Zora",
)  # fmt: skip
# So many family names that hardly two parties of a sale share one by chance.
FAMILY_FIRST = (
    "Al", "Bar", "Bel", "Bor", "Cal", "Cor", "Dal", "Dor", "El", "Fal", "Fen", "Gar", "Gol", "Hal", "Hel", "Ir",
    "Jan", "Jor", "Kal", "Kor", "Lan", "Lor", "Mal", "Mer", "Nor", "Ol", "Pal", "Per", "Quel", "Ral", "Ros", "Sal",
    "Sel", "Tal", "Tor", "Ul", "Var", "Vel", "Wal", "Zel",
)  # fmt: skip
FAMILY_MIDDLE = ("a", "be", "da", "de", "ga", "ki", "le", "ma", "mo", "na", "ro", "sa", "ti", "ve", "vo")
FAMILY_LAST = ("berg", "dahl", "dor", "feld", "gren", "lin", "man", "nik", "now", "ras", "ric", "sen", "ski", "vic")
FAMILIES = [a + b + c for a in FAMILY_FIRST for b in FAMILY_MIDDLE for c in FAMILY_LAST]
COMPANIES = [
    f"{name} {kind}"
    for name in ("Anchor", "Beacon", "Cedar", "Compass", "Crown", "Harbour", "Keystone", "Lantern", "Meridian", "Oak")
    for kind in ("Estates Ltd", "Holdings Ltd", "Homes Ltd", "Invest Ltd", "Living Ltd", "Property Ltd")
]
COMPANY_SHARE = 0.06


def name_parties(rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """seller and buyer of each sale (one row a transaction): people as `Family, Given`, or companies.

    A home is sold by who bought it last. Within a family transfer both share the family's name; one company buys, and
    one sells, all homes of a bulk transfer. Wants transaction_id, property_id, sold_on, oddity and deal.
    """
    # Sales that are odd come last in order of id: with generators apart, they leave all other parties as they are.
    buying, owning, dealing = rng.spawn(3)
    buyers, owners = parties(buying, len(sales)), parties(owning, len(sales))
    before, _ = neighbours(sales)
    deals = sales["deal"].to_numpy()
    for deal in np.unique(deals[sales["oddity"] == BULK]):
        seller, buyer = dealing.permutation(COMPANIES)[:2]
        for at in np.flatnonzero(deals == deal):
            _hold(at, seller, before, buyers, owners)
            buyers[at] = buyer
    family = np.flatnonzero(sales["oddity"] == FAMILY)
    for at in family[np.argsort(sales["sold_on"].to_numpy()[family], kind="stable")]:
        seller = buyers[before[at]] if before[at] >= 0 else owners[at]
        if not is_person(seller):
            seller = person(dealing)
            _hold(at, seller, before, buyers, owners)
        name, given = seller.split(", ")
        buyers[at] = f"{name}, {dealing.choice([other for other in GIVEN if other != given])}"
    sellers = np.where(before >= 0, buyers[before], owners)
    return pd.DataFrame({"seller": sellers, "buyer": buyers}, index=sales.index)


def parties(rng: np.random.Generator, count: int) -> np.ndarray:
    """That many people, and some companies among them; fewer of them are the same ones."""
    given, family, company, which = rng.spawn(4)
    names = zip(family.choice(FAMILIES, count).tolist(), given.choice(GIVEN, count).tolist(), strict=True)
    people = np.array([f"{family}, {given}" for family, given in names], dtype=object)
    return np.where(which.random(count) < COMPANY_SHARE, company.choice(COMPANIES, count).astype(object), people)


def person(rng: np.random.Generator) -> str:
    """Somebody: `Family, Given`."""
    return f"{rng.choice(FAMILIES)}, {rng.choice(GIVEN)}"


def is_person(party: str) -> bool:
    """Whether a party is a person rather than a company."""
    return ", " in party


def _hold(at: int, party: str, before: np.ndarray, buyers: np.ndarray, owners: np.ndarray) -> None:
    """Have `party` own the home when it is sold: whoever bought it last, it was them."""
    if before[at] >= 0:
        buyers[before[at]] = party
    else:
        owners[at] = party
