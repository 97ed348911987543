"""Sellers and buyers: invented people and companies; who buys a property sells it the next time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.non_market_sales import BULK, FAMILY, adjacent_sales

FIRST_NAMES = (
    "Abel", "Adina", "Alma", "Anton", "Bela", "Benno", "Bruna", "Casimir", "Clio", "Dario", "Delia", "Edda", "Elias",
    "Enzo", "Fabia", "Felix", "Flora", "Gerda", "Gustav", "Hanno", "Hedda", "Ida", "Ilya", "Ines", "Jaro", "Jola",
    "Kaya", "Konrad", "Lena", "Levin", "Lina", "Magda", "Marek", "Mila", "Nadia", "Nils", "Noemi", "Odo", "Olga",
    "Otis", "Pavel", "Petra", "Rasmus", "Rita", "Rufus", "Selma", "Silas", "Tamar", "Theo", "Tilda", "Ugo", "Uma",
    "Vera", "Viktor", "Wanda", "Wenzel", "Xenia", "Yara", "Yuri", "Zora",
)  # fmt: skip
# Enough family names that seller and buyer hardly ever share one by chance.
FAMILY_START = (
    "Al", "Bar", "Bel", "Bor", "Cal", "Cor", "Dal", "Dor", "El", "Fal", "Fen", "Gar", "Gol", "Hal", "Hel", "Ir",
    "Jan", "Jor", "Kal", "Kor", "Lan", "Lor", "Mal", "Mer", "Nor", "Ol", "Pal", "Per", "Quel", "Ral", "Ros", "Sal",
    "Sel", "Tal", "Tor", "Ul", "Var", "Vel", "Wal", "Zel",
)  # fmt: skip
FAMILY_MIDDLE = ("a", "be", "da", "de", "ga", "ki", "le", "ma", "mo", "na", "ro", "sa", "ti", "ve", "vo")
FAMILY_END = ("berg", "dahl", "dor", "feld", "gren", "lin", "man", "nik", "now", "ras", "ric", "sen", "ski", "vic")
FAMILY_NAMES = [a + b + c for a in FAMILY_START for b in FAMILY_MIDDLE for c in FAMILY_END]
COMPANIES = [
    f"{name} {kind}"
    for name in ("Anchor", "Beacon", "Cedar", "Compass", "Crown", "Harbour", "Keystone", "Lantern", "Meridian", "Oak")
    for kind in ("Estates Ltd", "Holdings Ltd", "Homes Ltd", "Invest Ltd", "Living Ltd", "Property Ltd")
]
COMPANY_SHARE = 0.06


def draw_parties(rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """seller and buyer of each sale (one row a transaction): people as `Family, First`, or companies.

    The seller is the last buyer. The parties of a family transfer share a family name. One company sells, and one buys,
    all properties of a bulk transfer. `sales` has transaction_id, property_id, sold_on, non_market and bulk_deal.
    """
    # Additional sales come last in order of id: with separate generators they leave all other parties unchanged.
    buyer_rng, owner_rng, deal_rng = rng.spawn(3)
    buyers, owners = draw_names(buyer_rng, len(sales)), draw_names(owner_rng, len(sales))
    before, _ = adjacent_sales(sales)
    deals = sales["bulk_deal"].to_numpy()
    for deal in np.unique(deals[sales["non_market"] == BULK]):
        seller, buyer = deal_rng.permutation(COMPANIES)[:2]
        for row in np.flatnonzero(deals == deal):
            _set_seller(row, seller, before, buyers, owners)
            buyers[row] = buyer
    family = np.flatnonzero(sales["non_market"] == FAMILY)
    for row in family[np.argsort(sales["sold_on"].to_numpy()[family], kind="stable")]:
        seller = buyers[before[row]] if before[row] >= 0 else owners[row]
        if not is_person(seller):
            seller = f"{deal_rng.choice(FAMILY_NAMES)}, {deal_rng.choice(FIRST_NAMES)}"
            _set_seller(row, seller, before, buyers, owners)
        family_name, first_name = seller.split(", ")
        buyers[row] = f"{family_name}, {deal_rng.choice([name for name in FIRST_NAMES if name != first_name])}"
    sellers = np.where(before >= 0, buyers[before], owners)
    return pd.DataFrame({"seller": sellers, "buyer": buyers}, index=sales.index)


def draw_names(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` people and companies; a smaller count gives the first ones of a larger count."""
    first_rng, family_rng, company_rng, kind_rng = rng.spawn(4)
    families, firsts = family_rng.choice(FAMILY_NAMES, count).tolist(), first_rng.choice(FIRST_NAMES, count).tolist()
    people = np.array([f"{family}, {first}" for family, first in zip(families, firsts, strict=True)], dtype=object)
    companies = company_rng.choice(COMPANIES, count).astype(object)
    return np.where(kind_rng.random(count) < COMPANY_SHARE, companies, people)


def is_person(party: str) -> bool:
    """Whether a party is a person rather than a company."""
    return ", " in party


def _set_seller(row: int, party: str, before: np.ndarray, buyers: np.ndarray, owners: np.ndarray) -> None:
    """Makes `party` the seller of a sale: the buyer of the sale before it, or the first owner."""
    if before[row] >= 0:
        buyers[before[row]] = party
    else:
        owners[row] = party
