"""The OpenAPI document's own texts and names."""

from typing import Any

SUMMARY = "Records people's money movements and answers questions about them exactly."
DESCRIPTION = f"""{SUMMARY}

**Logging in.** `POST /auth/login` returns an access token, which goes into the header
`Authorization: Bearer …` of all other requests, and a refresh token. A machine sends a key there
instead (`fido_…`), which `POST /users/me/keys` makes.

**Money** is a decimal string with the currency's own number of decimals, such as `"100.00"`. A
request may also send a JSON number.

**Times** are ISO 8601 and answered in UTC. A request may send a date alone, which means midnight
UTC. In a period `start` is included and `end` is not, except that a date as `end` includes that
whole day.

**Errors** are `application/problem+json` (RFC 9457). Branch on `code`. Unknown fields and
parameters are refused.

**Lists** come in pages: follow `next` until it is null.

**Changes.** A record's `ETag`, sent back as `If-Match`, makes a change apply only to that state.
A request that creates something is done once for each `Idempotency-Key`, however often it is
sent.

Every answer has an `X-Request-ID`.
"""
TAGS = {
    "Accounts": "Registration, login sessions, profiles and customers.",
    "Transactions": "Credits and debits, one by one, in bulk, and as a file.",
    "Imports": "From a file to transactions.",
    "Analytics": "Counts, totals and averages.",
    "Wallets": "Balances by currency.",
    "Rates": "Currencies and their exchange rates.",
    "Alerts": "Events, which are checked at once, and the alerts that rules have raised.",
}
SETTINGS: dict[str, Any] = {
    "TITLE": "Fido",
    "DESCRIPTION": DESCRIPTION,
    "VERSION": "1",
    "CONTACT": {"name": "The operator of this installation"},
    "LICENSE": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    "TAGS": [{"name": name, "description": text} for name, text in TAGS.items()],
    # Relative to the document, so that it does not depend on the host that was asked.
    "SERVERS": [{"url": "/api/v1"}],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SCHEMA_PATH_PREFIX_TRIM": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "defaultModelsExpandDepth": 0},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_SUFFIX": "",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "EventType": ["deposit", "withdraw", "withdrawal"],
        "FileFormat": ["csv", "ndjson"],
        "Interval": ["day", "week", "month"],
        "Order": ["-transaction_date", "transaction_date"],
        "RateKind": "accounts.rates.table.COLUMNS",
        "TransactionType": "transactions.models.Transaction.Type",
    },
    "POSTPROCESSING_HOOKS": [
        "fido.lib.api.schema.document.name_enums_of_parameters",
        "drf_spectacular.hooks.postprocess_schema_enums",
        "fido.lib.api.schema.document.share_components",
    ],
}
