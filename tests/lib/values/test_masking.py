"""What staff see of a name that they have not opened."""

import pytest

from fido.lib.values.crypto.masking import masked_email, masked_name


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Jane Doe", "J••• D•••"),
        ("  Jane   Doe ", "J••• D•••"),
        ("Åsa", "Å•••"),
        ("X", "X•••"),
        ("", ""),
        (" ", ""),
        (None, None),
    ],
)
def test_only_the_first_letter_of_each_word_is_shown(name: str | None, masked: str | None) -> None:
    assert masked_name(name) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("jane.doe@example.org", "j•••@•••.org"),
        ("j@x.co.uk", "j•••@•••.uk"),
        ("jane@localhost", "j•••@•••"),
        ('"a@b"@example.org', '"•••@•••.org'),
        ("", ""),
        (None, None),
    ],
)
def test_an_address_shows_its_first_letter_and_its_top_level(
    address: str | None, masked: str | None
) -> None:
    assert masked_email(address) == masked
