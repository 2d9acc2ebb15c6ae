"""The whole tour with the generated Python client, as it was generated.

`python tour.py http://localhost:8000/api/v1`, with `PYTHONPATH=build/clients/python`. PASSWORD is
that of the staff login `admin`.
"""

import io
import os
import sys
import time
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fido_client import AuthenticatedClient, Client
from fido_client.api.accounts import (
    change_own_profile,
    create_customer,
    list_users,
    log_in,
    log_out,
    read_own_profile,
    refresh_tokens,
    register,
)
from fido_client.api.alerts import list_alerts, record_event
from fido_client.api.analytics import read_own_analytics, read_series
from fido_client.api.imports import read_import, start_import
from fido_client.api.rates import list_currencies, read_rates
from fido_client.api.transactions import (
    change_transaction,
    delete_transaction,
    export_transactions,
    list_transactions,
    read_transaction,
    record_transaction,
    record_transactions,
)
from fido_client.api.wallets import (
    close_wallet,
    convert_wallet,
    list_balances,
    list_wallets,
    move_funds,
    open_balance,
    open_wallet,
    rename_wallet,
)
from fido_client.models import (
    BalanceRequest,
    Currency,
    CustomerRequest,
    EventRequest,
    EventType,
    FileFormat,
    FundsRequest,
    Interval,
    LoginRequest,
    PatchedProfileRequest,
    PatchedTransactionRequest,
    RefreshRequest,
    RegistrationRequest,
    TransactionRequest,
    TransactionType,
    UploadFieldsRequest,
    WalletRequest,
)
from fido_client.types import File

URL = sys.argv[1]
JANE = {"username": "jane", "password": "correct horse battery"}
IMPORT_SECONDS = 60


def expect(status: int, response: Any) -> Any:
    """The parsed answer of this status."""
    assert response.status_code == status, (response.status_code, response.content)
    return response.parsed


def logged_in(username: str, password: str) -> tuple[AuthenticatedClient, str]:
    """A client with the user's token, and the refresh token."""
    body = LoginRequest(username=username, password=password)
    pair = expect(200, log_in.sync_detailed(client=Client(URL), body=body))
    return AuthenticatedClient(URL, token=pair.access_token), pair.refresh_token


def purchase(amount: str, day: date | datetime, **more: Any) -> TransactionRequest:
    return TransactionRequest(
        transaction_date=day,
        transaction_amount=amount,
        transaction_type=TransactionType.DEBIT,
        currency=Currency.USD,
        **more,
    )


def accounts() -> tuple[AuthenticatedClient, str]:
    registration = RegistrationRequest(**JANE, email="jane@example.org", full_name="Jane Doe")
    expect(201, register.sync_detailed(client=Client(URL), body=registration))
    taken = expect(400, register.sync_detailed(client=Client(URL), body=registration))
    assert (taken.code, taken.errors[0].pointer) == ("validation-error", "#/username")

    jane, refresh = logged_in(**JANE)
    changes = PatchedProfileRequest(full_name="Jane Q. Doe", currency=Currency.USD)
    assert (
        expect(200, change_own_profile.sync_detailed(client=jane, body=changes)).currency == "USD"
    )
    profile = read_own_profile.sync_detailed(client=jane)
    assert expect(200, profile).full_name == "Jane Q. Doe"
    tag = profile.headers["ETag"]
    expect(304, read_own_profile.sync_detailed(client=jane, if_none_match=tag))
    token = RefreshRequest(refresh_token=refresh)
    pair = expect(200, refresh_tokens.sync_detailed(client=Client(URL), body=token))
    return AuthenticatedClient(URL, token=pair.access_token), pair.refresh_token


def transactions(jane: AuthenticatedClient) -> None:
    body = purchase("800.00", datetime(2026, 1, 31, 12, tzinfo=UTC), external_id="rent-1")
    first = record_transaction.sync_detailed(client=jane, body=body, idempotency_key="rent")
    again = record_transaction.sync_detailed(client=jane, body=body, idempotency_key="rent")
    row = expect(201, first)
    assert expect(201, again).id == row.id
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Location"].endswith(f"/transactions/{row.id}")
    rows = [purchase("3.20", date(2026, 2, 1)), purchase("1", date(2026, 2, 2), category="fun")]
    many = expect(201, record_transactions.sync_detailed(client=jane, body=rows))
    assert [each.transaction.transaction_amount for each in many.results] == ["3.20", "1.00"]

    edited(jane, row.id, first.headers["ETag"])
    lists(jane)
    expect(204, delete_transaction.sync_detailed(row.id, client=jane))
    expect(404, read_transaction.sync_detailed(row.id, client=jane))


def edited(jane: AuthenticatedClient, id_: Any, tag: str) -> None:
    """Only a change of the state that was read is made."""
    dearer = PatchedTransactionRequest(transaction_amount="810.00")
    change = change_transaction.sync_detailed(id_, client=jane, body=dearer, if_match=tag)
    assert expect(200, change).transaction_amount == "810.00"
    stale = change_transaction.sync_detailed(id_, client=jane, body=dearer, if_match=tag)
    assert expect(412, stale).status == 412


def lists(jane: AuthenticatedClient) -> None:
    page = expect(200, list_transactions.sync_detailed(client=jane, limit=2))
    cursor = parse_qs(urlsplit(page.next_).query)["cursor"][0]
    last = expect(200, list_transactions.sync_detailed(client=jane, limit=2, cursor=cursor))
    amounts = [row.transaction_amount for row in (*page.results, *last.results)]
    assert amounts == ["1.00", "3.20", "810.00"]
    assert last.next_ is None
    found = list_transactions.sync_detailed(
        client=jane,
        currency=Currency.USD,
        transaction_type=TransactionType.DEBIT,
        start=date(2026, 2, 1),
        end=date(2026, 2, 28),
        min_amount="2",
    )
    assert [row.transaction_amount for row in expect(200, found).results] == ["3.20"]
    file = export_transactions.sync_detailed(client=jane, format_=FileFormat.NDJSON)
    assert len(expect(200, file).splitlines()) == 3


def analytics(jane: AuthenticatedClient) -> None:
    answer = read_own_analytics.sync_detailed(client=jane, transaction_date=date(2026, 2, 1))
    totals = expect(200, answer)
    assert (totals.total_debit, totals.busiest_day) == ("3.20", date(2026, 2, 1))
    assert totals.by_currency[0].average_transaction_value == "3.20"
    series = read_series.sync_detailed("me", client=jane, interval=Interval.MONTH)
    assert [row.total_transactions for row in expect(200, series).results] == [2]


def money(jane: AuthenticatedClient) -> None:
    currencies = expect(200, list_currencies.sync_detailed(client=Client(URL))).results
    assert {row.code: row.decimals for row in currencies}["JPY"] == 0
    assert "USD" in expect(200, read_rates.sync_detailed(client=jane)).rates.additional_properties

    expect(201, open_wallet.sync_detailed(client=jane, body=WalletRequest(name="Holidays")))
    named = WalletRequest(name="Travel")
    assert expect(200, rename_wallet.sync_detailed("Holidays", client=jane, body=named))
    balance = BalanceRequest(currency=Currency.EUR, amount="100")
    expect(201, open_balance.sync_detailed("Travel", client=jane, body=balance))
    withdrawal = FundsRequest(amount="-30", description="Ferry")
    moved = move_funds.sync_detailed("Travel", Currency.EUR, client=jane, body=withdrawal)
    assert expect(201, moved).amount == "70.00"
    too_much = FundsRequest(amount="-70.01")
    refused = move_funds.sync_detailed("Travel", Currency.EUR, client=jane, body=too_much)
    assert expect(409, refused).code == "insufficient-funds"
    held = expect(200, list_balances.sync_detailed("Travel", client=jane)).results
    assert [(each.currency, each.amount) for each in held] == [("EUR", "70.00")]
    converted = convert_wallet.sync_detailed("Travel", client=jane, to=Currency.PLN)
    assert expect(200, converted).sum_ == "295.05"
    assert expect(409, close_wallet.sync_detailed("Travel", client=jane)).code


def files(jane: AuthenticatedClient) -> None:
    rows = b"transaction_date,transaction_type,transaction_amount\n2026-01-05,debit,12.50\nx,y,z\n"
    body = UploadFieldsRequest(file=File(io.BytesIO(rows), "rows.csv", "text/csv"))
    begun = expect(202, start_import.sync_detailed(client=jane, body=body))
    deadline = time.monotonic() + IMPORT_SECONDS
    while (now := expect(200, read_import.sync_detailed(begun.id, client=jane))).status != "done":
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    assert (now.rows_created, now.rows_refused, now.errors[0].line) == (1, 1, 3)


def alerts(jane: AuthenticatedClient) -> None:
    me = expect(200, read_own_profile.sync_detailed(client=jane)).id
    for type_, amount, second, codes in (
        (EventType.DEPOSIT, "250.00", 0, [123]),
        (EventType.WITHDRAW, "120.00", 10, [1100, 123]),
    ):
        body = EventRequest(type_=type_, amount=amount, user_id=me, time=1748736000 + second)
        event = expect(200, record_event.sync_detailed(client=jane, body=body))
        assert event.alert_codes == codes
    raised = expect(200, list_alerts.sync_detailed(client=jane, code=1100)).results
    assert [alert.time for alert in raised] == [datetime(2025, 6, 1, 0, 0, 10, tzinfo=UTC)]
    assert {wallet.name for wallet in expect(200, list_wallets.sync_detailed(client=jane)).results}


def staff() -> None:
    admin, _ = logged_in("admin", os.environ["PASSWORD"])
    users = expect(200, list_users.sync_detailed(client=admin)).results
    assert [user.full_name[:4] for user in users if user.username == "jane"] == ["J•••"]
    customer = CustomerRequest(name="Ben Nevis", total="100")
    assert expect(201, create_customer.sync_detailed(client=admin, body=customer)).total == "100.00"


def main() -> None:
    jane, refresh = accounts()
    transactions(jane)
    analytics(jane)
    money(jane)
    files(jane)
    alerts(jane)
    staff()
    token = RefreshRequest(refresh_token=refresh)
    expect(204, log_out.sync_detailed(client=Client(URL), body=token))
    refused = expect(401, refresh_tokens.sync_detailed(client=Client(URL), body=token))
    assert refused.code == "invalid-token"
    print("The tour is done.")


if __name__ == "__main__":
    main()
