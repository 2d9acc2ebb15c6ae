"""The corpus of banks' files, and what is in each, worked out by hand from the files' text."""

from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Expected:
    """`sums` is what the booked entries add up to, by currency; "" is where the file names none.

    `refused` counts entries that cannot be read, `pending` those that are not booked. `differs` has
    the statements whose balances the entries do not explain, and by how much.
    """

    entries: int = 0
    sums: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    pending: int = 0
    differs: dict[int, str] = field(default_factory=dict)


READABLE = {
    "camt/camt052.v2.xml": Expected(1, {"SEK": "-200000"}),
    "camt/camt052.v6.Amt-zero.xml": Expected(pending=1),
    "camt/camt053.v2.five.decimals.xml": Expected(1, {"EUR": "8.85"}, differs={1: "0.05"}),
    "camt/camt053.v2.minimal.xml": Expected(1, {"EUR": "8.85"}),
    "camt/camt053.v2.multi.statement.xml": Expected(2, {"EUR": "1.85"}),
    "camt/camt053.v4.xml": Expected(1, {"EUR": "8.85"}),
    "camt/camt053.v8.xml": Expected(1, {"EUR": "8.85"}),
    "camt/camt054.v4.xml": Expected(1, {"SEK": "-200000"}),
    "camt/camt53.only-Dt-with-DtTm.xml": Expected(),
    "mt940/ASNB/mt940.txt": Expected(8, {"EUR": "56.94"}),
    "mt940/cmxl/closing_balance.sta": Expected(),
    "mt940/cmxl/mt940.sta": Expected(16, {"DEM": "87.30", "EUR": "2200", "PLN": "10040"}),
    "mt940/cmxl/statement_details.sta": Expected(1, {"": "-1.62"}),
    "mt940/mBank/mt940.sta": Expected(3, {"PLN": "0.03"}),
    "mt940/mBank/mt942.sta": Expected(3, {"PLN": "0.03"}),
    "mt940/sberbank/171011_01234945.sta": Expected(3, {"HUF": "-9437"}),
    "mt940/self-provided/february_30.sta": Expected(1, {"EUR": "-6"}),
    "mt940/self-provided/gv_codes.sta": Expected(2, {"EUR": "-257.45"}),
    "mt940/self-provided/malformed_details.sta": Expected(
        1, {"EUR": "-233.15"}, differs={1: "234.01"}
    ),
    "mt940/self-provided/multiline.sta": Expected(2, {"EUR": "114"}, differs={1: "-119"}),
    "mt940/self-provided/raiffeisen-cmi.sta": Expected(
        7, {"HUF": "-1012213.50"}, differs={1: "1123264"}
    ),
    "mt940/self-provided/sparkassen.sta": Expected(1, {"": "30"}),
    "mt940/self-provided/whitespace.sta": Expected(1, {"EUR": "-233.15"}, differs={1: "234.01"}),
    "ofx/anzcc.ofx": Expected(1, {"AUD": "-5.50"}),
    "ofx/bank_medium.ofx": Expected(3, {"CAD": "-345.27"}),
    "ofx/checking.ofx": Expected(3, {"USD": "-59.50"}),
    "ofx/date_missing.ofx": Expected(refused=3),
    "ofx/decimal_error.ofx": Expected(refused=1),
    "ofx/fidelity-savings.ofx": Expected(4, {"USD": "-1778.3952"}),
    "ofx/multiple_accounts.ofx": Expected(),
    "ofx/ofx-v102-empty-tags.ofx": Expected(1, {"AUD": "12.34"}),
    "ofx/suncorp.ofx": Expected(1, {"AUD": "-16.85"}),
    "ofx/td_ameritrade.ofx": Expected(),
    "qif/creditunion.qif": Expected(8, {"": "465000"}),
    "qif/default.qif": Expected(8, {"": "465000"}),
    "qif/mint.qif": Expected(4, {"": "-3000"}),
}
# The code of the reason, and a word of its sentence.
UNREADABLE = {
    "camt/camt053.v2.wrong.xml": ("no-statement", "no statement"),
    "ofx/signon_fail.ofx": ("no-statement", "refused the login"),
}
# No statement at all: taken for a CSV whose header is not known.
UNKNOWN = {"mt940/self-provided/empty_non_swift.sta"}


def content(name: str) -> bytes:
    return (CORPUS / name).read_bytes()
