"""Bodies are parsed strictly: JSON in UTF-8, of limited size, and never a float."""

import contextlib
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings
from rest_framework.exceptions import ParseError

from fido.lib.api.parsing import JSONParser
from fido.lib.api.problems import BodyTooLarge


def parsed(body: bytes) -> Any:
    return JSONParser().parse(io.BytesIO(body))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_every_digit(number: Decimal) -> None:
    assert Decimal(parsed(str(number).encode())) == number


def test_a_number_with_a_point_is_a_decimal() -> None:
    assert parsed(b"[0.1, 1e2, 19.99]") == [Decimal("0.1"), Decimal(100), Decimal("19.99")]
    assert {type(number) for number in parsed(b"[0.1, 1e2]")} == {Decimal}


NO_JSON = [b"", b"{", b"nope", b"NaN", b"Infinity", b"-Infinity", b'{"a": NaN}', b"[1,]", b"'a'"]
NO_JSON += [b"\0", b'"\0"', b"\xff", b'"\xed\xa0\x80"', '"é"'.encode("latin-1"), b"1 2", b"// x"]
NO_JSON += ['{"a": 1}'.encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-32")]
NO_JSON += [b"\xef\xbb\xbf{}", b"1e9999999999999999999", b"9" * 5000, b"[" * 100_000]
NO_JSON += [b'{"a":' * 100_000]


@pytest.mark.parametrize("body", NO_JSON, ids=lambda body: ascii(body[:20]))
def test_anything_but_json_in_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parsed(body)


@given(st.binary())
def test_no_bytes_raise_anything_but_a_parse_error(body: bytes) -> None:
    with contextlib.suppress(ParseError):
        parsed(body)


def test_a_body_at_the_limit_is_read_and_one_more_byte_is_refused(settings: Settings) -> None:
    settings.MAX_BODY_BYTES = 10
    assert parsed(b'"12345678"') == "12345678"

    with pytest.raises(BodyTooLarge):
        parsed(b'"123456789"')


def test_an_endless_body_is_read_only_up_to_the_limit(settings: Settings) -> None:
    settings.MAX_BODY_BYTES = 10
    stream = io.BytesIO(b"1" * 1000)

    with pytest.raises(BodyTooLarge):
        JSONParser().parse(stream)
    assert stream.tell() == 11
