"""What banks call their columns, in the languages of their customers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from transactions.mappings.mapping import Role

_NOT_A_WORD = re.compile(r"[^\w#]+|_")
_NUMBER = re.compile(r"\s*\d+$")
# Each in the order of preference: the day of booking before that of valuation.
NAMES: Mapping[Role, tuple[str, ...]] = {
    Role.DATE: (
        "transaction date",
        "booking date",
        "buchungstag",
        "buchungsdatum",
        "data operacji",
        "date operation",
        "date de l operation",
        "date de comptabilisation",
        "date comptable",
        "fecha operacion",
        "fecha de operacion",
        "data operazione",
        "data contabile",
        "data ksiegowania",
        "datum",
        "date",
        "fecha",
        "data",
        "day",
        "created",
        "posted date",
        "post date",
        "posting date",
        "completed date",
        "started date",
        "transaction time",
        "boekdatum",
        "valuta",
        "date de valeur",
        "value date",
        "valutadatum",
        "wertstellung",
    ),
    Role.SIGNED: (
        "amount",
        "transaction amount",
        "betrag",
        "umsatz",
        "montant",
        "importe",
        "importo",
        "kwota",
        "kwota operacji",
        "kwota transakcji",
        "bedrag",
        "valor",
        "belopp",
        "belob",
        "castka",
        "net",
        "total",
    ),
    Role.CREDIT: (
        "credit",
        "credit amount",
        "credits",
        "deposit",
        "deposits",
        "deposit amount",
        "paid in",
        "money in",
        "haben",
        "gutschrift",
        "einnahmen",
        "abono",
        "abonos",
        "haber",
        "ingresos",
        "entrate",
        "avere",
        "accrediti",
        "uznania",
        "credito",
    ),
    Role.DEBIT: (
        "debit",
        "debit amount",
        "debits",
        "withdrawal",
        "withdrawals",
        "withdrawal amount",
        "paid out",
        "money out",
        "soll",
        "lastschrift",
        "belastung",
        "ausgaben",
        "cargo",
        "cargos",
        "debe",
        "gastos",
        "uscite",
        "dare",
        "addebiti",
        "obciazenia",
        "debito",
    ),
    Role.TYPE: (
        "transaction type",
        "type",
        "debit credit",
        "credit debit",
        "credit debit indicator",
        "dc",
        "cd",
        "soll haben",
        "s h",
        "sh",
        "af bij",
        "sens",
    ),
    Role.CURRENCY: (
        "currency",
        "wahrung",
        "waehrung",
        "devise",
        "monnaie",
        "monn",
        "moneda",
        "divisa",
        "waluta",
        "munt",
        "muntsoort",
        "ccy",
        "valuta",
    ),
    Role.NAME: (
        "payee",
        "payee name",
        "payer",
        "partner name",
        "counterparty",
        "counterparty name",
        "beneficiary",
        "beneficiary name",
        "auftraggeber empfanger",
        "auftraggeber beguenstigter",
        "auftraggeber begunstigter",
        "beguenstigter zahlungspflichtiger",
        "begunstigter zahlungspflichtiger",
        "name zahlungsbeteiligter",
        "zahlungsempfanger",
        "zahlungsempfanger in",
        "empfanger",
        "beneficiaire",
        "contrepartie",
        "beneficiario",
        "tegenpartij",
        "naam tegenpartij",
        "naam omschrijving",
        "nadawca odbiorca",
        "odbiorca",
        "merchant",
        "merchant name",
        "name",
    ),
    Role.EXTERNAL_ID: (
        "transaction id",
        "transaction number",
        "transaktions id",
        "n de transaction",
        "no de transaction",
        "numero de transaction",
        "fitid",
        "id",
    ),
    Role.CATEGORY: ("category", "kategorie", "categorie", "categoria", "kategoria", "rubriek"),
}
# These may be several; a number after them is not looked at.
DESCRIPTIONS = frozenset(
    {
        "description",
        "original description",
        "memo",
        "note",
        "notes",
        "details",
        "reason",
        "narrative",
        "particulars",
        "payment reference",
        "reference text",
        "buchungstext",
        "verwendungszweck",
        "vwz",
        "libelle",
        "communication",
        "concepto",
        "descripcion",
        "descrizione",
        "causale",
        "tytul",
        "tytul operacji",
        "opis",
        "opis operacji",
        "opis transakcji",
        "omschrijving",
        "mededelingen",
        "popis",
        "text",
    }
)
# Whose movement it is.
PEOPLE = ("user id", "userid", "user", "customer id", "customer", "client id")
STATUSES = ("status", "info", "state", "transaction status")
BOOKED = frozenset(
    {"booked", "posted", "completed", "complete", "cleared", "settled", "paid", "umsatz gebucht"}
)
PENDING = frozenset({"pending", "authorised", "authorized", "umsatz vorgemerkt", "vorgemerkt"})
# What a column of types says.
CREDITS = frozenset(
    {"credit", "cr", "c", "crdt", "haben", "h", "bij", "in", "deposit", "gutschrift", "uznanie"}
)
DEBITS = frozenset(
    {
        "debit",
        "dr",
        "d",
        "dbit",
        "soll",
        "s",
        "af",
        "out",
        "withdrawal",
        "lastschrift",
        "obciazenie",
    }
)


def normalised(name: str) -> str:
    """A column's name without capitals, accents and punctuation."""
    name = name.casefold().replace("ł", "l").replace("ß", "ss").replace("ø", "o")
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(_NOT_A_WORD.sub(" ", bare).split())


def is_description(name: str) -> bool:
    """`name` is normalised."""
    return _NUMBER.sub("", name) in DESCRIPTIONS
