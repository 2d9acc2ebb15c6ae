"""The refusals that all routes share, as components: an operation only refers to them."""

from typing import NamedTuple

from fido.lib.api.problems import MEDIA_TYPE, problem
from fido.lib.api.schema import Json

PROBLEM: Json = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path of the request."},
        "code": {"type": "string", "description": "Stable: branch on this."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemError"}},
    },
}
PROBLEM_ERROR: Json = {
    "type": "object",
    "description": "One error of a body or of the query string.",
    "required": ["code", "detail"],
    "properties": {
        "pointer": {"type": "string", "description": "Where in the body (RFC 6901)."},
        "parameter": {"type": "string", "description": "Which query parameter."},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
CONTENT: Json = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
HEADERS: Json = {
    "RetryAfter": {
        "description": "Seconds to wait before the next try.",
        "required": True,
        "schema": {"type": "integer"},
    },
    "Challenge": {"description": "The scheme to use.", "schema": {"type": "string"}},
}
LATER: Json = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}


class Refusal(NamedTuple):
    status: int
    description: str
    code: str
    headers: Json = {}


STANDARD = {
    "NotModified": Refusal(304, "The client already has this answer.", ""),
    "BadBody": Refusal(400, "The body has errors.", "validation-error"),
    "BadParameter": Refusal(400, "A parameter has errors.", "validation-error"),
    "BadRequest": Refusal(400, "The body or a parameter has errors.", "validation-error"),
    "Unauthorized": Refusal(
        401,
        "No valid token, or wrong credentials.",
        "invalid-token",
        {"WWW-Authenticate": {"$ref": "#/components/headers/Challenge"}},
    ),
    "NotFound": Refusal(404, "There is no such record, or it is not yours.", "not-found"),
    "NotAcceptable": Refusal(406, "The answer is JSON only.", "not-acceptable"),
    "KeyInProgress": Refusal(
        409, "A request with this Idempotency-Key is in progress.", "idempotency-key-in-flight"
    ),
    "Changed": Refusal(412, "The record has changed since it was read.", "precondition-failed"),
    "TooLarge": Refusal(413, "The body is too large.", "body-too-large"),
    "NotJson": Refusal(415, "The body is not JSON.", "unsupported-media-type"),
    "KeyReused": Refusal(
        422, "This Idempotency-Key was used for another request.", "idempotency-key-reused"
    ),
    "TooManyRequests": Refusal(429, "Too many requests.", "throttled", LATER),
    "Unavailable": Refusal(
        503, "The database did not answer, or is busy.", "database-unavailable", LATER
    ),
}


def _component(refusal: Refusal) -> Json:
    component: Json = {"description": refusal.description}
    if refusal.headers:
        component["headers"] = refusal.headers
    if refusal.code:
        example = problem(refusal.status, refusal.code, refusal.description, "/api/v1/wallets")
        component["content"] = {MEDIA_TYPE: CONTENT[MEDIA_TYPE] | {"example": example}}
    return component


COMPONENTS: Json = {
    "schemas": {"Problem": PROBLEM, "ProblemError": PROBLEM_ERROR},
    "headers": HEADERS,
    "responses": {name: _component(refusal) for name, refusal in STANDARD.items()},
}


def standard(*names: str) -> Json:
    """References to these answers, by status."""
    return {
        str(STANDARD[name].status): {"$ref": f"#/components/responses/{name}"} for name in names
    }
