"""Query strings: their serializers are made once, and remember nothing of a request."""

from datetime import UTC, datetime

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from fido.lib.api.problems import QueryInvalid
from fido.lib.api.serializers import PeriodSerializer
from fido.lib.values.clock import Period

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def asked(**query: str) -> Request:
    return Request(APIRequestFactory().get("/", query))


def test_a_query_does_not_see_an_earlier_one() -> None:
    assert PeriodSerializer.read(asked(start="2026-01-31T12:00:00Z")) == {"period": Period(NOON)}
    with pytest.raises(QueryInvalid):
        PeriodSerializer.read(asked(strat="2026-01-31"))

    assert PeriodSerializer.read(asked()) == {"period": Period()}


def test_a_shape_that_extends_another_has_fields_of_its_own() -> None:
    class Named(PeriodSerializer):
        start = None  # type: ignore[assignment]

    PeriodSerializer.read(asked(start="2026-01-31"))

    with pytest.raises(QueryInvalid):
        Named.read(asked(start="2026-01-31"))
