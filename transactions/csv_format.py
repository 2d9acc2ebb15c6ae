"""How text stands in a CSV, so that no spreadsheet takes it for a formula."""

# What a spreadsheet may begin to compute at, and the apostrophe that says it is text.
_RISKY = tuple("=+-@\t\r\n＝＋－＠'")


def armoured(text: str) -> str:
    """The cell for a text; `bare` gives the text back."""
    return f"'{text}" if text.startswith(_RISKY) else text


def bare(cell: str) -> str:
    """The text of a cell."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_RISKY) else cell
