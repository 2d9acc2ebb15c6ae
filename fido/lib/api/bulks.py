"""What routes that take many rows share: an array in the body, and a result for each row."""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import APIException, ValidationError

from fido.lib.api.conditional import json_answer
from fido.lib.api.problems import MAX_ERRORS, Json, part
from fido.lib.values.errors import DomainError, Kind

# Per row. A body of unknown fields must not produce an answer many times its size.
MAX_ERRORS_OF_ROW = 10

Refusal = DomainError | APIException


class TooManyRows(DomainError):
    code, kind = "too-many-rows", Kind.INVALID

    def __init__(self, max_rows: int) -> None:
        self.title = f"At most {max_rows} rows at once."
        super().__init__()


class InvalidRows(DomainError):
    code, title, kind = "validation-error", "The request has errors.", Kind.INVALID


def listed(data: Any, what: str, max_rows: int) -> list[Any]:
    """The rows of a body. `what` is what they are.

    Raises:
        ValidationError: the body is no array, or an empty one.
        TooManyRows
    """
    if not isinstance(data, list):
        raise ValidationError(f"A bulk is an array of {what}.", "not-a-list")
    if not data:
        raise ValidationError("The array is empty.", "empty")
    if len(data) > max_rows:
        raise TooManyRows(max_rows)
    return data


def require_none(refusals: Iterable[tuple[int, Refusal]]) -> None:
    """Raises InvalidRows, with what is wrong, if there is a refusal; each has its row's index."""
    parts = (part(refusal, str(index))["errors"] for index, refusal in refusals)
    if errors := list(islice(chain.from_iterable(parts), MAX_ERRORS)):
        raise InvalidRows("Nothing was changed; see `errors`.", errors=errors)


def refused(index: int, refusal: Refusal) -> Json:
    """The result of a row that was refused."""
    result: Json = {"index": index} | part(refusal, str(index))
    if "errors" in result:
        result["errors"] = result["errors"][:MAX_ERRORS_OF_ROW]
    return result


def answer(results: list[Json], *, atomic: bool) -> HttpResponse:
    """The answer with one result per row, which may come in any order."""
    results.sort(key=lambda result: int(result["index"]))
    created = sum(result["status"] == 201 for result in results)
    body = {"created": created, "refused": len(results) - created, "results": results}
    return json_answer(body, 201 if atomic else 200)
