"""Serves the OpenAPI document: made once per process, the same for everybody."""

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import yaml
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular import renderers
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from fido.lib.api import conditional
from fido.lib.values.strict_json import json_bytes

_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")
_making = Lock()


@dataclass(frozen=True)
class Copy:
    """The document in one form, as it goes out. A tag is strong, so each encoding has its own."""

    body: bytes
    etag: str


class ByFormat(DefaultContentNegotiation):
    """`?format=json` or `?format=yaml`, or else what `Accept` prefers."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        form = request.query_params.get("format", format_suffix)
        return super().select_renderer(request, renderers, form)


class DocumentView(SpectacularAPIView):
    """The OpenAPI document as YAML or JSON, compressed if the client takes that."""

    content_negotiation_class = ByFormat
    # Of one form, the first is the default. Browsers show this one of JSON.
    renderer_classes = [
        renderers.OpenApiYamlRenderer,
        renderers.OpenApiYamlRenderer2,
        renderers.OpenApiJsonRenderer2,
        renderers.OpenApiJsonRenderer,
    ]

    def _get_schema_response(self, request: Request) -> HttpResponse:
        form, media_type = request.accepted_renderer.format, request.accepted_renderer.media_type
        charset = "" if form == "json" else "; charset=utf-8"  # JSON has no other
        compressed = bool(_GZIP.search(request.headers.get("Accept-Encoding", "")))
        copy = copy_of(form, compressed=compressed)
        response = conditional.answer(request, copy.body, copy.etag)
        if response.status_code == 200:
            response["Content-Type"] = media_type + charset
            response["Content-Disposition"] = f'inline; filename="fido.{form}"'
            if compressed:
                response["Content-Encoding"] = "gzip"
        response["Cache-Control"] = "no-cache"  # it is the same for everybody, but not for ever
        patch_vary_headers(response, ["Accept", "Accept-Encoding"])
        return response


def copy_of(form: str, *, compressed: bool = False) -> Copy:
    """The document as `yaml` or `json`."""
    with _making:
        return _copies()[form, compressed]


class _Whole(yaml.SafeDumper):
    """Writes out what occurs twice: not every reader knows aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _as_yaml(document: Any) -> bytes:
    # The innermost parts in one line each, which is a tenth shorter and as easy to read.
    text: str = yaml.dump(
        document,
        Dumper=_Whole,
        default_flow_style=None,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return text.encode()


@cache
def _copies() -> dict[tuple[str, bool], Copy]:
    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
    document = generator.get_schema(request=None, public=True)
    plain = json_bytes(document)
    forms = {"yaml": _as_yaml(json.loads(plain)), "json": plain}
    return {
        (form, compressed): Copy(body, conditional.etag_of(body))
        for form, plain in forms.items()
        # The time in the header would give each process a tag of its own.
        for compressed, body in ((False, plain), (True, gzip.compress(plain, mtime=0)))
    }
