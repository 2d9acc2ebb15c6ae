"""The layout of a foreign CSV: by the mapping that came with it, a known one, or a guess."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from transactions.files.columns import REQUIRED
from transactions.imports.contents import ELSE, LINE_END, UTF_8
from transactions.imports.header import UploadRefused, layout_of
from transactions.imports.layout import CSV, Layout
from transactions.mappings import guess, tables
from transactions.mappings.headless import names_are_values
from transactions.mappings.mapping import ColumnMapping, fingerprint_of
from transactions.mappings.tables import Table

# Control characters that no text has, other than the end of a file of old.
NO_TEXT = re.compile("[\\x00-\\x08\\x0e-\\x19\\x1b-\\x1f]")
NO_HEADER = (
    "The file has no header: its first row would be taken for one, and lost. A mapping with"
    ' "header": false names the columns by number: "1", "2".'
)
Read = tuple[ColumnMapping, Table]


def decided(
    layout: Layout, head: bytes, mapping: ColumnMapping | None, known: Iterable[ColumnMapping] = ()
) -> Layout:
    """The layout of the file that begins so; of a foreign CSV with a complete mapping.

    Without a `mapping`, one of the `known` applies if the file has exactly its columns, or it is
    guessed.

    Raises:
        UploadRefused
    """
    if mapping and layout.form != CSV:
        raise UploadRefused("mapping-not-needed", "A mapping is for a CSV file, and this is none.")
    if layout.form != CSV or (layout.columns and not mapping):
        return layout
    return _with_mapping(layout, head, mapping, known)


def _with_mapping(
    layout: Layout, head: bytes, mapping: ColumnMapping | None, known: Iterable[ColumnMapping]
) -> Layout:
    encoding = mapping.encoding if mapping and mapping.encoding else layout.encoding
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    _require_text(text)
    if mapping is None and layout.encoding == UTF_8 and (own := _our_own(text)):
        return own
    stated = _stated(text, mapping) if mapping else _known(text, known)
    if stated is None:
        _refuse_if_ours(text, all)
    elif mapping is None and layout.encoding == ELSE and stated[0].encoding not in {None, ELSE}:
        # Unicode shows in the file. Which of the others it is, only the mapping knows.
        return _with_mapping(layout, head, stated[0], ())
    try:
        found, table = stated or guess.guessed(text)
        found = guess.completed(found, table)
    except guess.NotGuessed as error:
        _refuse_if_ours(text, any)
        raise UploadRefused(error.code, error.detail) from None
    if names_are_values(found):
        raise UploadRefused("no-header", NO_HEADER)
    found = replace(found, encoding=encoding, delimiter=table.separator, skip_lines=table.skipped)
    return Layout(CSV, table.separator, table.header, encoding, found.as_json(), stated is None)


def _stated(text: str, mapping: ColumnMapping) -> Read:
    if table := tables.at(text, mapping):
        return mapping, tables.with_sample(text, table, has_header=mapping.header)
    detail = f"None of the first {tables.SEARCHED_LINES} lines has all columns of the mapping."
    raise UploadRefused("missing-column", detail)


def _known(text: str, known: Iterable[ColumnMapping]) -> Read | None:
    by_columns = {each.fingerprint: each for each in known if each.header}
    for table in tables.candidates(text):
        mapping = by_columns.get(fingerprint_of(filter(None, table.header)))
        if mapping and mapping.delimiter in {None, table.separator}:
            return mapping, tables.with_sample(text, table)
    return None


def _require_text(text: str) -> None:
    if not text.strip():
        raise UploadRefused("empty-file", "The file is empty.")
    if NO_TEXT.search(text):
        raise UploadRefused("not-text", "The file is not text.")


def _first_line(text: str) -> str:
    return LINE_END.split(text.lstrip(), maxsplit=1)[0]


def _our_own(text: str) -> Layout | None:
    """Our own layout, if there is a header and nothing else: it could not be told before."""
    with contextlib.suppress(UploadRefused):
        return layout_of(_first_line(text))
    return None


def _refuse_if_ours(text: str, enough: Callable[[Iterable[bool]], bool]) -> None:
    """Say what is wrong with a header that is meant to be ours, by the names that it has.

    An export with masked names has all of ours and others, and must not come in.
    """
    first = _first_line(text).casefold()
    if enough(name in first for name in REQUIRED):
        layout_of(first)
        raise UploadRefused("not-utf-8", "The file is not text in UTF-8.")
