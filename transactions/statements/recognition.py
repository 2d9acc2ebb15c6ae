"""What a file is, by its first kilobytes."""

from __future__ import annotations

import re
from collections.abc import Mapping

CAMT, MT940, OFX, QIF = "camt", "mt940", "ofx", "qif"
# What banks call these, for people.
STATEMENTS: Mapping[str, str] = {
    CAMT: "camt.052, camt.053 or camt.054",
    MT940: "MT940 or MT942",
    OFX: "OFX or QFX",
    QIF: "QIF",
}
# How much of a file is looked at.
HEAD_BYTES = 8 * 1024
# The byte order mark of UTF-8, read as Latin-1.
BOM = "\xef\xbb\xbf"

_OFX = re.compile(r"<OFX>|^\s*OFXHEADER\s*:|<\?OFX\b", re.IGNORECASE)
_CAMT = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.05[0-9]")
_QIF = re.compile(r"\s*!(type:|account|option:|clear:)", re.IGNORECASE)
# A field that begins a message, or one that only these messages have.
_MT940 = re.compile(r"^(?:\{1:[^{}]*\}.*)?:(?:20:|6[02][FM]:[CD]\d{6}|61:\d{6})", re.MULTILINE)
_SWIFT = re.compile(r"\s*\{1:F")


def recognised(head: bytes) -> str | None:
    """The form of a bank's file that begins so; None: it is no such file."""
    text = head[:HEAD_BYTES].decode("latin-1").removeprefix(BOM)
    if _CAMT.search(text):
        return CAMT
    if _OFX.search(text):
        return OFX
    if _QIF.match(text):
        return QIF
    if _SWIFT.match(text) or _MT940.search(text):
        return MT940
    return None
