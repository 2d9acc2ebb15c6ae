"""Reads request bodies: bounded, strict, and without floats."""

from collections.abc import Mapping
from json import JSONDecodeError
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from fido.lib.api.problems import BodyTooLarge
from fido.lib.values.strict_json import NameRepeated, read_json


class JSONParser(BaseParser):
    """JSON whose numbers with a point or an exponent become Decimal, never float.

    DRF's own parser reads a body of any size, turns 0.1 into a float, and fails with a 500 on deep
    nesting.
    """

    media_type = "application/json"

    @property
    def max_bytes(self) -> int:
        return settings.MAX_BODY_BYTES

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        # Read one byte past the limit: the length that the client states may be wrong.
        try:
            body = stream.read(self.max_bytes + 1)
        except OSError:
            # Malformed chunks, or a client that has disconnected.
            raise ParseError("The body is incomplete.") from None
        if len(body) > self.max_bytes:
            raise BodyTooLarge(self.max_bytes)
        try:
            # Decoded here: json would also accept UTF-16, and surrogates in invalid UTF-8.
            return read_json(body.decode())
        except JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise ParseError(f"The body cannot be read as JSON: {place}.") from None
        except NameRepeated:
            raise ParseError("An object in the body has two members of one name.") from None
        except (ValueError, RecursionError, ArithmeticError):
            # ValueError covers bad UTF-8, and integers of over 4,300 digits.
            raise ParseError("The body cannot be read as JSON.") from None


class BulkJSONParser(JSONParser):
    """For a body with many records."""

    @property
    def max_bytes(self) -> int:
        return settings.MAX_BULK_BODY_BYTES
