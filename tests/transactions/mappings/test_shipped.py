"""The mappings that come with Fido: each has a file of its layout."""

import pytest

from tests.transactions.mappings.files import CORPUS, RECOGNISED, text
from transactions.mappings import tables
from transactions.mappings.mapping import fingerprint_of
from transactions.mappings.shipped import FOLDER, shipped

HEADERS = {
    fingerprint_of(filter(None, table.header)): name
    for name in RECOGNISED
    for table in tables.candidates(text(name))
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_each_is_for_a_file_that_is_tested(name: str) -> None:
    assert shipped()[name].fingerprint in HEADERS


def test_no_two_are_for_the_same_columns() -> None:
    prints = [mapping.fingerprint for mapping in shipped().values()]

    assert len(set(prints)) == len(prints) == len(RECOGNISED)


def test_the_corpus_comes_with_its_licence() -> None:
    notices = (CORPUS / "NOTICES").read_text()

    assert "MIT License" in notices
    assert "Reuben Cummings" in notices
