"""Uploads over a socket, to a real gunicorn: too large, cut off, or from a client that left."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.client import ApiClient
from tests.imports import csv
from tests.races import DEADLINE_SECONDS, wait_until
from tests.webserver import WebServer, serving
from transactions.imports.models import Import

pytestmark = pytest.mark.django_db(transaction=True)
MIB = 1024 * 1024
PATH = "/api/v1/imports"
FILE = csv(*["2026-01-31,1.50,credit,Zebulon Quixworth"] * 1000, header=csv().decode().strip())
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="Quixworth.csv"\r\n\r\n'
END = b"\r\n--b--\r\n"
WHOLE = PART + FILE + END


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def server(django_db_setup: None, folder: Path) -> Iterator[WebServer]:
    with serving(IMPORTS_DIR=str(folder), IMPORT_MAX_MEGABYTES="1") as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_stays(server: WebServer, folder: Path, ada: ApiClient) -> Iterator[None]:
    """Whatever a test sends, the worker keeps serving, and no file remains."""
    yield
    assert server.request("GET", "/livez").status == 200
    for row in Import.objects.filter(user_id=ada.user_id, status="queued"):
        answer = server.request("DELETE", f"{PATH}/{row.pk}", Authorization=f"Bearer {ada.token}")
        assert answer.status == 204
    assert list(folder.iterdir()) == []
    assert "Traceback" not in server.log()
    assert "Quixworth" not in server.log()


def send(server: WebServer, ada: ApiClient, body: Any, **headers: str) -> Any:
    headers = {
        "Content_Type": "multipart/form-data; boundary=b",
        "Authorization": f"Bearer {ada.token}",
    } | headers
    return server.request("POST", PATH, body, **headers)


def head(ada: ApiClient, *headers: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {ada.token}"]
    lines += ["Content-Type: multipart/form-data; boundary=b", *headers, "", ""]
    return "\r\n".join(lines).encode()


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status, json.loads(answer.content)["code"]) == (status, code)
    assert not Import.objects.exists()


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


@pytest.mark.parametrize("body", [WHOLE, list(in_pieces(WHOLE, 1000)), [WHOLE]])
def test_a_file_arrives_in_one_piece_and_in_chunks(
    server: WebServer, ada: ApiClient, body: Any
) -> None:
    answer = send(server, ada, iter(body) if isinstance(body, list) else body)

    assert answer.status == 202
    assert Import.objects.get().size_bytes == len(FILE)


def test_two_gigabytes_are_refused_by_their_stated_length(
    server: WebServer, ada: ApiClient
) -> None:
    answer = server.raw(head(ada, f"Content-Length: {2 * 1024**3}") + PART)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code": "body-too-large"' in answer


def test_a_client_that_sends_before_it_listens_can_read_the_refusal(
    server: WebServer, ada: ApiClient
) -> None:
    refused(send(server, ada, PART + b"x\n" * (5 * MIB) + END), 413, "body-too-large")
    refused(send(server, ada, PART + b"%PDF-1.7" + b"x\n" * (MIB // 4) + END), 400, "not-text")


@pytest.mark.skipif(which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("expect", [[], ["-H", "Expect:"], ["-H", "Expect: 100-continue"]])
def test_curl_reads_the_refusal_of_two_gigabytes(
    server: WebServer, ada: ApiClient, tmp_path: Path, expect: list[str]
) -> None:
    with (tmp_path / "rows.csv").open("wb") as file:
        file.truncate(2 * 1024**3)
    command = ["curl", "-sS", "-F", f"file=@{tmp_path}/rows.csv", "-w", " %{http_code}"]
    command += ["-H", f"Authorization: Bearer {ada.token}", *expect]

    command.append(f"http://127.0.0.1:{server.port}{PATH}")
    done = subprocess.run(command, check=False, capture_output=True, timeout=DEADLINE_SECONDS)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b'"code": "body-too-large"} 413')


def test_a_body_in_chunks_is_refused_once_it_is_too_large(
    server: WebServer, ada: ApiClient
) -> None:
    rows = b"2026-01-31,1.50,credit\r\n" * (2 * MIB // 24)
    body = in_pieces(PART + csv() + rows + END, 100_000)

    answer = send(server, ada, body)

    assert answer.status == 413
    assert not Import.objects.exists()


CUTS = {
    "in the part's head": len(PART) - 5,
    "in the file": len(WHOLE) // 2,
    "before the last boundary": len(WHOLE) - len(END),
    "in the last boundary": len(WHOLE) - 4,
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_length_that_cuts_the_end_off_imports_no_half(
    server: WebServer, ada: ApiClient, cut: int
) -> None:
    answer = send(server, ada, WHOLE[:cut])

    assert answer.status == 400
    assert not Import.objects.exists()


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_goes_away_half_way_leaves_nothing(
    server: WebServer, ada: ApiClient, cut: int, chunked: bool
) -> None:
    sent = WHOLE[:cut]
    if chunked:
        data = head(ada, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (cut, sent)
    else:
        data = head(ada, f"Content-Length: {len(WHOLE)}") + sent

    answer = server.raw(data)

    assert answer.startswith(b"HTTP/1.1 400 ") or not answer
    assert not Import.objects.exists()


def test_a_connection_that_is_reset_half_way_leaves_nothing(
    server: WebServer, ada: ApiClient, folder: Path
) -> None:
    # Otherwise a body as small as this is read before it is passed on.
    at_once = "Expect: 100-continue"
    data = head(ada, at_once, f"Content-Length: {len(WHOLE)}") + WHOLE[:-100]
    with closing(socket.create_connection(("127.0.0.1", server.port))) as client:
        client.sendall(data)
        wait_until(lambda: any(folder.iterdir()))
        linger = b"\1\0\0\0\0\0\0\0"  # on, no seconds: close() sends RST
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    wait_until(lambda: not any(folder.iterdir()))
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n", b"5\r\nabc", b"ffffffffffffffffffff\r\n", b"-1\r\n\r\n", b"3\r\nabcd\r\n"]
)
def test_malformed_chunks_leave_nothing(server: WebServer, ada: ApiClient, chunks: bytes) -> None:
    good = b"%x\r\n%b\r\n" % (len(PART + FILE), PART + FILE)

    answer = server.raw(head(ada, "Transfer-Encoding: chunked") + good + chunks)

    assert answer.startswith(b"HTTP/1.1 400 ") or not answer
    assert not Import.objects.exists()


@pytest.mark.parametrize("token", ["", "Bearer garbage"])
def test_without_a_token_a_body_is_not_even_read(
    server: WebServer, ada: ApiClient, token: str, folder: Path
) -> None:
    before = folder.stat().st_mtime_ns

    answer = send(server, ada, WHOLE, Authorization=token)

    assert answer.status == 401
    assert folder.stat().st_mtime_ns == before


def test_what_follows_the_form_is_no_part_of_it_and_the_connection_serves_on(
    server: WebServer, ada: ApiClient
) -> None:
    body = b"preamble\r\n" + WHOLE + b"epilogue\r\n" + PART + b"x" + END
    first = head(ada, f"Content-Length: {len(body)}") + body
    second = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    answer = server.raw(first + second)

    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"HTTP/1.1 200 OK" in answer
    assert Import.objects.get().size_bytes == len(FILE)


def test_another_media_type_is_told_so(server: WebServer, ada: ApiClient) -> None:
    answer = send(server, ada, FILE, Content_Type="text/csv")

    refused(answer, 415, "unsupported-media-type")
