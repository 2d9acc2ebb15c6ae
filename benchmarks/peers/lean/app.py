"""C: what an expert would write for speed, with FastAPI, asyncpg and redis.asyncio on uvicorn.

It checks, encrypts, keeps and answers as Fido does on the routes that are compared, and does
nothing else: no fence against stale answers, no totals, no alerts, no metrics, no log lines.
"""

import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import redis.asyncio
from fastapi import FastAPI, HTTPException, Request, Response
from jwt import InvalidTokenError
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from benchmarks.peers.lean import ledger, shapes
from benchmarks.peers.lean.secrecy import FERNET, Caller, caller_of, index_of, opened, sealed

KEPT_SECONDS = 300
JSON = "application/json"
cache = redis.asyncio.Redis.from_url(os.environ["LEAN_REDIS_URL"])
pool: Any = None


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    global pool  # noqa: PLW0603 - as FastAPI's own documentation does it
    pool = await ledger.connected()
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan, openapi_url=None)


# --- reads ---


@app.get("/api/v1/analytics")
async def analytics(request: Request) -> Response:
    me, end = _caller(request), _end(request)

    async def made() -> bytes:
        return _analytics(me, end, await pool.fetch(ledger.ANALYTICS, me.id, ledger.end_of(end)))

    return await _kept(request, me, made)


@app.get("/api/v1/transactions")
async def history(request: Request) -> Response:
    me, end = _caller(request), _end(request)
    limit = _limit(request.query_params.get("limit", "50"))
    at, id_ = _cursor(request.query_params.get("cursor"))

    async def made() -> bytes:
        last = ledger.end_of(end)
        rows = await pool.fetch(ledger.PAGE, me.id, last, at, id_, limit + 1)
        return _page(request, rows, limit)

    return await _kept(request, me, made)


async def _kept(request: Request, me: Caller, made: Callable[[], Awaitable[bytes]]) -> Response:
    """The answer from the caller's hash in Redis, which a write deletes; one round trip."""
    key = f"lean:{me.id}"
    question = hashlib.sha256(request.scope["raw_path"] + request.scope["query_string"]).digest()
    epoch, token = await cache.hmget(key, "epoch", question)
    if epoch != me.epoch.encode():
        await _user(me)
    if token is not None:
        return _answer(request, FERNET.decrypt(token))
    body = await made()
    async with cache.pipeline(transaction=False) as pipeline:
        pipeline.hset(key, mapping={"epoch": me.epoch, question: FERNET.encrypt(body)})
        pipeline.expire(key, KEPT_SECONDS)
        await pipeline.execute()
    return _answer(request, body)


def _answer(request: Request, body: bytes) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    offered = request.headers.get("if-none-match", "")
    if etag in offered:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


# --- writes ---


@app.post("/api/v1/transactions")
async def create(request: Request) -> Response:
    me = _caller(request)
    raw = await request.body()
    user = await _user(me)
    draft = _draft(raw, user["currency"])
    values = _values(me, draft, user)
    body = orjson.dumps(_represent(values, draft.full_name, draft.description))
    key = request.headers.get("idempotency-key")
    if key is None:
        await _insert(ledger.INSERT, values)
    elif first := await _once(me, key, raw, values, body):
        return Response(first, status_code=201, media_type=JSON)
    await cache.delete(f"lean:{me.id}")
    headers = {"Location": f"{request.base_url}api/v1/transactions/{values[0]}"}
    return Response(body, status_code=201, media_type=JSON, headers=headers)


async def _once(
    me: Caller, key: str, raw: bytes, values: tuple[Any, ...], body: bytes
) -> bytes | None:
    """Records it under the key, or gives the first answer to it."""
    digest = hashlib.sha256(key.encode()).digest()
    asked = json.dumps(json.loads(raw), sort_keys=True).encode()
    fingerprint = hashlib.sha256(asked).digest()
    more = (digest, fingerprint, FERNET.encrypt(body))
    if await _insert(ledger.INSERT_ONCE, (*values, *more)):
        return None
    first = await pool.fetchrow(ledger.FIRST, me.id, digest)
    if first["fingerprint"] != fingerprint:
        raise HTTPException(422)
    return FERNET.decrypt(first["answer"])


async def _insert(statement: str, values: tuple[Any, ...]) -> bool:
    try:
        return await pool.fetchrow(statement, *values) is not None
    except asyncpg.UniqueViolationError:
        raise HTTPException(409) from None


def _draft(raw: bytes, currency: str) -> shapes.Draft:
    try:
        draft: shapes.Draft = shapes.Draft.model_validate_json(raw)
        if draft.currency is None:
            shapes.require_decimals(draft.transaction_amount, currency)
    except (ValidationError, ValueError):
        raise HTTPException(400) from None
    draft.currency = draft.currency or currency
    return draft


def _values(me: Caller, draft: shapes.Draft, user: Any) -> tuple[Any, ...]:
    if "full_name" not in draft.model_fields_set:
        draft.full_name = opened(user["full_name"])
    return (
        uuid7(),
        me.id,
        sealed(draft.full_name),
        index_of(draft.full_name),
        sealed(draft.description),
        draft.transaction_date,
        draft.transaction_amount,
        draft.transaction_type,
        draft.currency,
        draft.external_id,
        draft.category,
        datetime.now(UTC),
    )


# --- who asks, and for what ---


def _caller(request: Request) -> Caller:
    try:
        return caller_of(request.headers.get("authorization", ""))
    except InvalidTokenError:
        raise HTTPException(401) from None


async def _user(me: Caller) -> Any:
    """The caller's row, if the login still counts."""
    user = await pool.fetchrow(ledger.USER, me.id)
    if user is None or not user["is_active"] or user["epoch"] != me.epoch:
        raise HTTPException(401)
    return user


def _end(request: Request) -> date | None:
    text = request.query_params.get("end")
    try:
        return None if text is None else shapes.day(text)
    except ValueError:
        raise HTTPException(400) from None


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 200:
        raise HTTPException(400)
    return int(text)


def _cursor(text: str | None) -> tuple[datetime, UUID]:
    if text is None:
        return ledger.FAR, ledger.LAST_ID
    at, _, id_ = text.partition("_")
    try:
        return shapes.moment(at), UUID(id_)
    except ValueError:
        raise HTTPException(400) from None


# --- what is answered ---


def _represent(
    row: Any, full_name: str | None, description: str | None
) -> dict[str, str | int | None]:
    """A transaction, by its columns in the order of `ledger.COLUMNS`."""
    id_, user_id, _, _, _, at, amount, kind, currency, external_id, category, created, *more = row
    return {
        "id": str(id_),
        "user_id": user_id,
        "full_name": full_name,
        "transaction_date": shapes.clock(at),
        "transaction_amount": shapes.money(amount, currency),
        "transaction_type": kind,
        "currency": currency,
        "description": description,
        "external_id": external_id,
        "wallet": None,
        "category": category,
        "created_at": shapes.clock(created),
        "updated_at": shapes.clock(more[0] if more else created),
    }


def _page(request: Request, rows: list[Any], limit: int) -> bytes:
    shown = [_represent(row, opened(row[2]), opened(row[4])) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        cursor = f"{shapes.clock(last[5])}_{last[0]}"
        following = str(request.url.include_query_params(cursor=cursor))
    body: bytes = orjson.dumps({"results": shown, "next": following, "previous": None})
    return body


def _analytics(me: Caller, end: date | None, rows: list[Any]) -> bytes:
    lines = [_line(row) for row in rows if row["currency"]]
    count = sum(line["total_transactions"] for line in lines)
    reporting = rows[0]["currency"] if len(lines) == 1 else rows[0]["own"]
    first = rows[0]
    body: bytes = orjson.dumps(
        {
            "user_id": me.id,
            "full_name": opened(first["full_name"]),
            "period": {"start": None, "end": end and shapes.clock(ledger.end_of(end))},
            "total_transactions": count,
            "busiest_day": first["day"] and first["day"].isoformat(),
            "busiest_day_transactions": first["day_count"] or 0,
            "currency": reporting,
            **_headline(lines, reporting),
            "rates_as_of": None,
            "by_currency": lines,
        }
    )
    return body


def _headline(lines: list[dict[str, Any]], currency: str) -> dict[str, str | None]:
    """The totals where there is one currency; it knows no rates."""
    names = ("total_credit", "total_debit", "average_transaction_value")
    if len(lines) > 1:
        return dict.fromkeys(names)
    none = shapes.money(Decimal(0), currency)
    return {name: lines[0][name] if lines else none for name in names}


def _line(row: Any) -> dict[str, Any]:
    currency, credit, debit = row["currency"], row["credit"], row["debit"]
    return {
        "currency": currency,
        "total_transactions": row["n"],
        "total_credit": shapes.money(credit, currency),
        "total_debit": shapes.money(debit, currency),
        "average_transaction_value": shapes.money((credit + debit) / row["n"], currency),
    }
