"""A transaction has the same fields in all places; each difference has a reason."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import pytest
from django.contrib import admin
from django.core.checks import run_checks
from django.db import models
from django.test import RequestFactory
from drf_spectacular.generators import SchemaGenerator

from tests.client import ApiClient
from tests.factories import record
from transactions import checks
from transactions.admin import TransactionAdmin
from transactions.api.serializers import HistoryFilters, TransactionSerializer, represent
from transactions.files.columns import BY_NAME, FREE_TEXT, IMPORTABLE, NAMES, NULLABLE, REQUIRED
from transactions.files.formats import MASKED_NAMES
from transactions.imports import encoding
from transactions.imports.checking import Checker
from transactions.imports.layout import NDJSON, Layout
from transactions.models import Transaction
from transactions.operations import Draft

STORED = [field.attname for field in Transaction._meta.concrete_fields]
CLIENTS_NAME_WALLETS = {"wallet": "the table has its id", "wallet_id": "clients have its name"}
OURS = checks.OURS
SET_BY_US = dict.fromkeys(("id", "created_at", "updated_at"), "clients do not set it")
PLACES: dict[str, tuple[Callable[[], Iterable[str]], dict[str, str]]] = {
    "model": (lambda: STORED, CLIENTS_NAME_WALLETS | OURS),
    "draft": (
        lambda: [field.name for field in fields(Draft)],
        CLIENTS_NAME_WALLETS | SET_BY_US | {"user_id": "it is the owner, passed beside the draft"},
    ),
    "serializer": (lambda: TransactionSerializer().fields, {}),
    "schema": (lambda: schema()["Transaction"]["properties"], {}),
    "body in the schema": (
        lambda: schema()["TransactionRequest"]["properties"],
        SET_BY_US,
    ),
    "import": (
        lambda: Checker(Layout(NDJSON))._parsers,
        SET_BY_US | {"user_id": "all rows of a file have one user"},
    ),
    "encoder": (lambda: encoding.COLUMNS, CLIENTS_NAME_WALLETS | OURS),
    "filters": (
        lambda: HistoryFilters().fields,
        {
            **SET_BY_US,
            "transaction_date": "by a period",
            **dict.fromkeys(("start", "end"), "the period"),
            "transaction_amount": "by two bounds",
            **dict.fromkeys(("min_amount", "max_amount"), "the bounds"),
            "description": "encrypted, and not searchable",
            "order": "the order of the answer",
        },
    ),
}


def schema() -> Any:
    return SchemaGenerator().get_schema(public=True)["components"]["schemas"]


@pytest.mark.parametrize("place", PLACES)
def test_a_place_has_the_fields_of_the_list_except_for_a_reason(place: str) -> None:
    names, reasons = PLACES[place]

    assert set(names()) ^ set(NAMES) == set(reasons)


def test_an_answer_has_the_fields_in_the_order_of_the_list(ada: ApiClient) -> None:
    assert ada.user
    row = record(ada.user)

    assert list(ada.get(f"/transactions/{row.pk}").json()) == list(NAMES)
    assert list(represent(row, {}, clear=True)) == list(NAMES)
    (listed,) = ada.get("/transactions").json()["results"]
    assert list(listed) == list(NAMES)


def test_masked_files_rename_only_the_masked_columns() -> None:
    assert [name.removeprefix("masked_") for name in MASKED_NAMES] == list(NAMES)


def test_the_admin_shows_every_field_and_the_version(ada: ApiClient) -> None:
    request = RequestFactory().get("/")
    assert ada.user
    request.user = ada.user
    shown = TransactionAdmin(Transaction, admin.site).get_fields(request)

    known = {"user": "user_id", "exact_date": "transaction_date", "amount": "transaction_amount"}
    names = [known.get(name, name.removeprefix("masked_")) for name in shown]
    assert names == [*NAMES, "version"]


@pytest.mark.parametrize("name", IMPORTABLE)
def test_a_body_has_the_rules_of_the_list(name: str) -> None:
    field, column = TransactionSerializer().fields[name], BY_NAME[name]

    assert field.required == column.required
    assert field.allow_null == column.null
    assert getattr(field, "max_length", None) == column.max_length
    assert (field.help_text or "") == column.help_text


@pytest.mark.parametrize("name", sorted({*FREE_TEXT} - {"wallet"}))
def test_the_table_bounds_what_it_stores_in_clear(name: str) -> None:
    field: Any = Transaction._meta.get_field(name)

    assert field.null
    # An encrypted text is longer than its plain text; the serializer bounds that.
    bound = None if BY_NAME[name].secret else BY_NAME[name].max_length
    assert getattr(field, "max_length", None) == bound


def test_put_sets_omitted_fields_to_null_except_for_the_name(ada: ApiClient) -> None:
    ada.post("/wallets", {"name": "main"})
    values = dict.fromkeys(FREE_TEXT, "something") | {"wallet": "main"}
    body = {"transaction_amount": "1.00", "transaction_type": "credit"}
    body |= {"transaction_date": "2026-01-31"}
    path = ada.post("/transactions", body | values).headers["Location"]
    assert set(REQUIRED) == set(body)

    answer = ada.put(path, body).json()

    assert {name: answer[name] for name in NULLABLE} == dict.fromkeys(NULLABLE) | {
        "full_name": "Ada Lovelace"
    }


def test_a_field_in_the_model_only_fails_the_system_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more: Any = models.TextField()
    more.set_attributes_from_name("mood")
    fields_of = Transaction._meta.concrete_fields
    monkeypatch.setattr(Transaction._meta, "concrete_fields", [*fields_of, more])

    (error,) = run_checks(tags=["models"])

    assert error.id == "fido.E003"
    assert "mood" in error.msg
