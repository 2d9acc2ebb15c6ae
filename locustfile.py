"""Load as people make it: they register, log in, read, record, edit, delete, and move money.

    make load                                          a service of its own, for a minute
    make load HOST=https://fido.example.org ARGS="--users 50 --run-time 10m"
    .venv/bin/locust --host http://localhost:8000      with locust's web page

Every answer is checked: its status, and some of what it says. People register themselves, unless
LOAD_LOGINS says whom to log in as, `name:password` on each line. docs/development.md says more.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NoReturn

from gevent.lock import Semaphore
from locust import FastHttpUser, between, task
from locust.exception import RescheduleTask, StopUser

API = "/api/v1"
CURRENCY, TARGET = "EUR", "PLN"
BULK_ROWS = 50
FUNDS = "/wallets/{name}/currencies/{code}/funds"
RENEW_SECONDS = 60  # before a token lapses


class Wrong(Exception):
    """An answer that is not what the API promises."""


def expect(fact: bool, otherwise: str) -> None:
    if not fact:
        raise Wrong(otherwise)


@dataclass
class Counts:
    """How many transactions we have recorded and deleted, and how many requests to do so began."""

    begun: int = 0
    recorded: int = 0
    deleting: int = 0
    deleted: int = 0


@dataclass
class Account:
    """Somebody to log in as. Nobody else writes into an account that is ours alone."""

    name: str
    password: str
    is_ours: bool = False
    users: int = 0
    counts: Counts = field(default_factory=Counts)

    def require_plausible(self, total: int, before: Counts) -> None:
        """What was acknowledged before a question began has to be in its answer."""
        least = before.recorded - self.counts.deleting
        most = self.counts.begun - before.deleted
        expect(least <= total, f"stale: {total} transactions of at least {least}")
        expect(total <= most or not self.is_ours, f"{total} transactions of at most {most}")


class Accounts:
    """All that this process knows. Once nobody may register any more, users share them."""

    def __init__(self, logins: str) -> None:
        pairs = (login.partition(":") for login in logins.splitlines() if login)
        self.known = [Account(name, password) for name, _, password in pairs]
        self.may_register = not self.known
        # One by one: otherwise the first ones are refused before somebody is known.
        self.registering = Semaphore()

    def spare(self) -> Account | None:
        """The account with the fewest users, unless it is better to register another one."""
        least = min(self.known, key=lambda account: account.users, default=None)
        return least if least and not (least.users and self.may_register) else None


accounts = Accounts(os.environ.get("LOAD_LOGINS", ""))


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


def movement() -> dict[str, str]:
    """The body of a create."""
    return {
        "transaction_amount": f"{random.randint(1, 99_999) / 100:.2f}",
        "transaction_type": random.choice(["credit", "debit"]),
        "transaction_date": f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}T12:00:00Z",
        "description": random.choice(["Groceries", "Rent", "A train ticket", "Salary"]),
        "category": random.choice(["food", "home", "travel", "income"]),
    }


class Customer(FastHttpUser):
    """One person with one login session."""

    wait_time = between(0.2, 1.0)
    insecure = False  # a certificate is checked

    def on_start(self) -> None:
        self.token, self.refresh_token, self.renew_at = "", "", float("inf")
        self.rows: list[str] = []
        self.kept: dict[str, tuple[str, Any]] = {}
        self.wallet = ""
        if not self.client.base_url.startswith("http"):
            self._give_up("A host is given as an address, such as http://localhost:8000.")
        self.client.base_url = self.client.base_url.rstrip("/")
        try:
            self.account = self._account()
            self._log_in()
        except RescheduleTask as failure:
            raise StopUser from failure

    def on_stop(self) -> None:
        self.account.users -= 1
        # A failure is counted anyway.
        with suppress(RescheduleTask):
            self._close_wallet()
            body = {"refresh_token": self.refresh_token}
            with self.asked("POST", "/auth/logout", 204, body=body):
                self.token = ""

    # --- what people do, and how often ---

    @task(10)
    def read_analytics(self) -> None:
        before = replace(self.account.counts)
        with self.reread("/analytics") as found:
            expect(found["user_id"] == self.user_id, "the analytics of somebody else")
            self.account.require_plausible(found["total_transactions"], before)

    @task(8)
    def read_history(self) -> None:
        with self.reread("/transactions") as page:
            self._require_page(page)
        if page["next"]:
            path = page["next"].partition(API)[2]
            with self.asked("GET", path, 200, name="/transactions?cursor={}") as answer:
                self._require_page(answer.json(), until=page["results"][-1])

    @task(2)
    def read_series(self) -> None:
        with self.reread("/users/me/analytics/series?interval=month") as found:
            expect(found["interval"] == "month", "another interval")
            starts = [row["start"] for row in found["results"]]
            expect(starts == sorted(set(starts)), "the months are not in order")

    @task(2)
    def add_up_credits(self) -> None:
        path = "/transactions/analytics?transaction_type=credit"
        with self.asked("GET", path, 200) as answer:
            debits = {line["total_debit"] for line in answer.json()["by_currency"]}
            expect(not any(map(Decimal, debits)), "a debit among the credits")

    @task(8)
    def record(self) -> None:
        self._record(movement(), new_key())

    @task(1)
    def record_and_send_it_again(self) -> None:
        body, key = movement(), new_key()
        row = self._record(body, key)
        name = "/transactions (again)"
        with self.asked("POST", "/transactions", 201, name=name, body=body, **key) as answer:
            expect(answer.headers.get("Idempotent-Replayed") == "true", "not replayed")
            expect(answer.json() == row, "another answer to the same key")

    @task(3)
    def open_one(self) -> None:
        self._opened(self._row())

    @task(2)
    def edit(self) -> None:
        row = self._row()
        etag, amount = self._opened(row), movement()["transaction_amount"]
        change, headers = {"transaction_amount": amount}, {"If-Match": etag}
        with self.asked(
            "PATCH", f"/transactions/{row}", 200, name="/transactions/{id}", body=change, **headers
        ) as answer:
            expect(answer.json()["transaction_amount"] == amount, "the edit is not in its answer")
            expect(answer.headers["ETag"] != etag, "the ETag has not changed")

    @task(1)
    def delete(self) -> None:
        row = self._row()
        self.rows.remove(row)
        self.account.counts.deleting += 1
        with self.asked("DELETE", f"/transactions/{row}", 204, name="/transactions/{id}"):
            pass
        self.account.counts.deleted += 1
        with self.asked("GET", f"/transactions/{row}", 404, name="/transactions/{id} (deleted)"):
            pass

    @task(1)
    def record_many(self) -> None:
        rows = [movement() for _ in range(BULK_ROWS)]
        self.account.counts.begun += len(rows)
        with self.asked("POST", "/transactions/bulk", 201, body=rows, **new_key()) as answer:
            expect(answer.json()["created"] == len(rows), "not all of the bulk were recorded")
        self.account.counts.recorded += len(rows)

    @task(2)
    def move_funds(self) -> None:
        balance = self._balance()
        amount = max(-balance, Decimal(random.randint(-2000, 3000)) / 100)
        self._move(balance, amount or Decimal(1))

    @task(1)
    def withdraw_too_much(self) -> None:
        body = {"amount": str(-self._balance() - 1)}
        path, name = self._funds_path(), f"{FUNDS} (too much)"
        with self.asked("POST", path, 409, name=name, body=body) as answer:
            expect(answer.json()["code"] == "insufficient-funds", "another refusal")

    @task(2)
    def convert(self) -> None:
        with self.asked("GET", f"/currencies_converted?to={TARGET}", 200) as answer:
            found = answer.json()
            lines = sum(Decimal(line["converted"]) for line in found["lines"])
            expect(lines == Decimal(found["sum"]), "the sum is not that of the lines")

    # --- requests ---

    @contextmanager
    def asked(
        self, method: str, path: str, *statuses: int, name: str = "", body: Any = None, **more: str
    ) -> Iterator[Any]:
        """The answer. If it or what the block finds in it is wrong, it fails and the task ends."""
        if time.monotonic() > self.renew_at:
            self._take_tokens("/auth/refresh", {"refresh_token": self.refresh_token})
        headers = ({"Authorization": f"Bearer {self.token}"} if self.token else {}) | more
        with self.client.request(
            method, API + path, name=name or path, json=body, headers=headers, catch_response=True
        ) as answer:
            try:
                expect(answer.status_code in statuses, _instead(answer, statuses))
                yield answer
                answer.success()  # also where the status is one that locust counts as a failure
            except (Wrong, LookupError, TypeError, ValueError, ArithmeticError) as fault:
                answer.failure(str(fault) if isinstance(fault, Wrong) else repr(fault))
                raise RescheduleTask from fault

    @contextmanager
    def reread(self, path: str) -> Iterator[Any]:
        """The body, which is the one that we have if the service says so."""
        etag, body = self.kept.get(path, ("", None))
        condition = {"If-None-Match": etag} if etag else {}
        with self.asked("GET", path, 200, *([304] if etag else []), **condition) as answer:
            if answer.status_code == 200:
                etag, body = self.kept[path] = answer.headers["ETag"], answer.json()
            expect(answer.headers["ETag"] == etag, "304 for another ETag")
            yield body

    def _record(self, body: dict[str, str], key: dict[str, str]) -> Any:
        self.account.counts.begun += 1
        with self.asked("POST", "/transactions", 201, body=body, **key) as answer:
            row = answer.json()
            expect(body.items() <= row.items(), "what was recorded is not what was sent")
        self.account.counts.recorded += 1
        self.rows.append(row["id"])
        return row

    def _opened(self, row: str) -> str:
        """Its ETag."""
        with self.asked("GET", f"/transactions/{row}", 200, name="/transactions/{id}") as answer:
            expect(answer.json()["id"] == row, "another transaction")
            return str(answer.headers["ETag"])

    def _row(self) -> str:
        """A transaction of ours, which nobody else edits or deletes."""
        if not self.rows:
            self.record()
        return random.choice(self.rows)

    def _require_page(self, page: Any, until: Any = None) -> None:
        rows = ([until] if until else []) + page["results"]
        dates = [row["transaction_date"] for row in rows]
        expect(dates == sorted(dates, reverse=True), "the history is not in order")
        expect({row["user_id"] for row in rows} <= {self.user_id}, "a row of somebody else")

    # --- the wallet ---

    def _balance(self) -> Decimal:
        """What our wallet holds; it is opened on first use."""
        if not self.wallet:
            self._open_wallet()
        path = f"/wallets/{self.wallet}/currencies"
        with self.asked("GET", path, 200, name="/wallets/{name}/currencies") as answer:
            (line,) = answer.json()["results"]
            expect(line["currency"] == CURRENCY, "another currency")
            return Decimal(line["amount"])

    def _open_wallet(self) -> None:
        name = f"load-{secrets.token_hex(6)}"
        with self.asked("POST", "/wallets", 201, body={"name": name}):
            pass
        opening = {"currency": CURRENCY, "amount": "100.00"}
        path = f"/wallets/{name}/currencies"
        with self.asked("POST", path, 201, name="/wallets/{name}/currencies", body=opening):
            self.wallet = name

    def _move(self, balance: Decimal, amount: Decimal) -> None:
        path, body = self._funds_path(), {"amount": str(amount)}
        self.account.counts.begun += 1
        with self.asked("POST", path, 201, name=FUNDS, body=body) as answer:
            expect(Decimal(answer.json()["amount"]) == balance + amount, "another balance")
        self.account.counts.recorded += 1

    def _funds_path(self) -> str:
        return f"/wallets/{self.wallet}/currencies/{CURRENCY}/funds"

    def _close_wallet(self) -> None:
        """An account that is used again must not fill up with wallets."""
        if self.wallet:
            if balance := self._balance():
                self._move(balance, -balance)
            with self.asked("DELETE", f"/wallets/{self.wallet}", 204, name="/wallets/{name}"):
                self.wallet = ""

    # --- who they are ---

    def _account(self) -> Account:
        with accounts.registering:
            found = accounts.spare() or self._registered() or accounts.spare()
            if not found:
                self._give_up("Nobody may register any more: set LOAD_LOGINS, or wait.")
            found.users += 1
            return found

    def _registered(self) -> Account | None:
        """A new account, or None if the service takes no more from this address for a while."""
        name, password = f"load-{secrets.token_hex(6)}", secrets.token_urlsafe(12)
        body = {"username": name, "email": f"{name}@example.org", "password": password}
        with self.asked(
            "POST", "/auth/register", 201, 429, body=body | {"full_name": "Load Test"}
        ) as answer:
            if answer.status_code == 429:
                accounts.may_register = False
                return None
            expect(answer.json()["username"] == name, "another name")
        accounts.known.append(Account(name, password, is_ours=True))
        return accounts.known[-1]

    def _log_in(self) -> None:
        """Once: a password that is refused again and again would close the account."""
        body = {"username": self.account.name, "password": self.account.password}
        try:
            self._take_tokens("/auth/login", body)
        except RescheduleTask:
            self._give_up(f"{self.account.name} cannot log in.")
        with self.asked("GET", "/users/me", 200) as answer:
            self.user_id = answer.json()["id"]

    def _take_tokens(self, path: str, body: dict[str, str]) -> None:
        self.renew_at = float("inf")
        with self.asked("POST", path, 200, body=body) as answer:
            pair = answer.json()
            self.token, self.refresh_token = pair["access_token"], pair["refresh_token"]
            self.renew_at = time.monotonic() + pair["expires_in"] - RENEW_SECONDS

    def _give_up(self, why: str) -> NoReturn:
        print(why)
        self.environment.process_exit_code = 1
        self.environment.runner.quit()
        raise StopUser


def _instead(answer: Any, statuses: tuple[int, ...]) -> str:
    expected = " or ".join(map(str, statuses))
    if not answer.status_code:
        return f"no answer instead of {expected}: {answer.error!r}"
    try:
        code = answer.json()["code"]
    except (LookupError, TypeError, ValueError):
        code = "no problem document"
    return f"{answer.status_code} instead of {expected}: {code}"
