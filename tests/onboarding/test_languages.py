"""`homei init` reads registers of several countries as they are written there."""

import pytest
from registers import sales, write_csv

# Column names, delimiter, encoding, date format, decimal mark, thousands separator.
COUNTRIES = {
    "english": (["Deed", "Sale date", "Sale price", "Floor area sqm", "Property type", "Neighbourhood", "Year built"],
                ",", "utf-8", "%d/%m/%Y", ".", ","),
    "german": (["Vorgang", "Kaufdatum", "Kaufpreis", "Wohnfläche", "Objektart", "Ortsteil", "Baujahr"],
               ";", "cp1252", "%d.%m.%Y", ",", "."),
    "french": (["Identifiant", "Date de vente", "Prix de vente", "Surface habitable", "Type de bien", "Quartier",
                "Année de construction"], "\t", "utf-16", "%d/%m/%Y", ",", "\u202f"),
    "spanish": (["Número de escritura", "Fecha de venta", "Precio", "Superficie útil", "Tipo de inmueble", "Barrio",
                 "Año de construcción"], ";", "utf-8-sig", "%d-%m-%Y", ",", "."),
    "dutch": (["Aktenummer", "Transportdatum", "Koopsom", "Woonoppervlakte", "Soort woning", "Wijk", "Bouwjaar"],
              ";", "utf-8", "%d-%m-%Y", ",", "."),
    "polish": (["Nr aktu", "Data transakcji", "Cena", "Powierzchnia", "Rodzaj", "Dzielnica", "Rok budowy"],
               ";", "cp1250", "%Y-%m-%d", ",", "\u00a0"),
    "portuguese": (["Número da escritura", "Data da venda", "Preço", "Área útil", "Tipologia", "Freguesia",
                    "Ano de construção"], "|", "utf-8", "%d/%m/%Y", ",", "."),
    "italian": (["Numero atto", "Data rogito", "Prezzo", "Superficie commerciale", "Tipo immobile", "Quartiere",
                 "Anno di costruzione"], ";", "cp1252", "%d.%m.%y", ",", "."),
}  # fmt: skip


def written(number, decimal, thousands):
    """A number in a country's notation, with two decimals."""
    return f"{number:,.2f}".translate(str.maketrans({",": thousands, ".": decimal}))


@pytest.mark.parametrize("country", COUNTRIES)
def test_a_register_is_read_as_it_was_written(country, read_back, tmp_path):
    names, delimiter, encoding, date_format, decimal, thousands = COUNTRIES[country]
    rows = sales()
    cells = [
        [
            row["id"], f"{row['date']:{date_format}}", written(row["price"], decimal, thousands),
            f"{row['area']:.1f}".replace(".", decimal), row["kind"], row["place"], row["built"],
        ]
        for row in rows
    ]  # fmt: skip
    path = write_csv(tmp_path / "register.csv", names, cells, delimiter, encoding)
    columns = read_back(path)
    assert columns["transaction_id"].tolist() == [row["id"] for row in rows]
    assert columns["sale_date"].dt.date.tolist() == [row["date"] for row in rows]
    assert columns["price"].tolist() == [row["price"] for row in rows]
    assert columns["square_meters"].tolist() == [row["area"] for row in rows]
    assert columns["property_type"].tolist() == [row["kind"] for row in rows]
    assert columns["location"].tolist() == [row["place"] for row in rows]
    assert columns["year_built"].tolist() == [row["built"] for row in rows]
