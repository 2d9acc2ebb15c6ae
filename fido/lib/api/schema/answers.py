"""The refusals that all routes share, as components: an operation only refers to them."""

from fido.lib.api.problems import MEDIA_TYPE
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

# Name: status, description, headers.
STANDARD: dict[str, tuple[str, str, Json]] = {
    "NotModified": ("304", "The client already has this answer.", {}),
    "BadBody": ("400", "The body has errors.", {}),
    "BadParameter": ("400", "A parameter has errors.", {}),
    "BadRequest": ("400", "The body or a parameter has errors.", {}),
    "Unauthorized": (
        "401",
        "No valid token, or wrong credentials.",
        {"WWW-Authenticate": {"$ref": "#/components/headers/Challenge"}},
    ),
    "NotFound": ("404", "There is no such record, or it is not yours.", {}),
    "NotAcceptable": ("406", "The answer is JSON only.", {}),
    "KeyInProgress": ("409", "A request with this Idempotency-Key is in progress.", {}),
    "Changed": ("412", "The record has changed since it was read.", {}),
    "TooLarge": ("413", "The body is too large.", {}),
    "NotJson": ("415", "The body is not JSON.", {}),
    "KeyReused": ("422", "This Idempotency-Key was used for another request.", {}),
    "TooManyRequests": ("429", "Too many requests.", LATER),
    "Unavailable": ("503", "The database did not answer, or is busy.", LATER),
}
COMPONENTS: Json = {
    "schemas": {"Problem": PROBLEM, "ProblemError": PROBLEM_ERROR},
    "headers": HEADERS,
    "responses": {
        name: {"description": description}
        | ({"headers": headers} if headers else {})
        | ({"content": CONTENT} if status >= "400" else {})
        for name, (status, description, headers) in STANDARD.items()
    },
}


def standard(*names: str) -> Json:
    """References to these answers, by status."""
    return {STANDARD[name][0]: {"$ref": f"#/components/responses/{name}"} for name in names}
