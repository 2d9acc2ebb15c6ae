"""When a request is whole, and who serves it."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from fido.serving import connections
from fido.serving.connections import MAX_BODY_BYTES, MAX_HEAD_BYTES, Connection, Kind

HEAD = b"POST /api/v1/transactions HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2)), theirs


def connected() -> tuple[Connection, socket.socket]:
    ours, theirs = socket.socketpair()
    return Connection(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2)), theirs


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def of_length(body: bytes, name: bytes) -> bytes:
    return HEAD + name + b": %d\r\n\r\n" % len(body) + body


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request, and its body."""
    body = draw(st.binary(max_size=300))
    if draw(st.booleans()):
        return of_length(body, draw(st.sampled_from([b"Content-Length", b"content-length"]))), body
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    return HEAD + chunked + in_chunks(body, draw(st.integers(1, 100))), body


@given(request=requests(), data=st.data())
def test_a_request_is_ready_with_its_last_byte_and_read_as_it_was_sent(
    request: tuple[bytes, bytes], data: st.DataObject
) -> None:
    sent, body = request
    connection, client = connected()
    cuts = sorted(data.draw(st.lists(st.integers(1, len(sent) - 1), max_size=5)))
    with client, connection.sock:
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            client.sendall(sent[start:end])
            assert connection.read()
            assert connection.is_ready() == (end == len(sent))

        connection.init()
        assert next(connection.parser).body.read() == body
        assert (connection.kind, connection.is_whole) == (Kind.REQUEST, True)


def test_what_is_sent_ahead_is_the_next_request(pair: tuple[Connection, socket.socket]) -> None:
    connection, client = pair
    first, second = of_length(b"one", b"Content-Length"), of_length(b"two", b"Content-Length")
    client.sendall(first + second)
    assert connection.read()
    assert connection.is_ready()
    connection.init()
    assert next(connection.parser).body.read() == b"one"

    connection.begin_next()

    assert connection.is_ready()
    connection.init()
    assert next(connection.parser).body.read() == b"two"


LARGE = b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)


@pytest.mark.parametrize(
    ("sent", "kind", "is_whole"),
    [
        (b"GET /livez HTTP/1.1\r\n\r\n", Kind.LIVENESS, True),
        (b"HEAD /livez?a=b HTTP/1.0\r\n\r\n", Kind.LIVENESS, True),
        (b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", Kind.CHECK, True),
        (b"GET /metrics HTTP/1.1\r\n\r\n", Kind.CHECK, True),
        (b"GET /livezz HTTP/1.1\r\n\r\n", Kind.REQUEST, True),
        (b"POST /api/v1/transactions/bulk?atomic=false HTTP/1.1\r\n\r\n", Kind.BULK, True),
        (b"GET /api/v1/transactions/export?format=csv HTTP/1.1\r\n\r\n", Kind.STREAM, True),
        (HEAD + LARGE, Kind.STREAM, False),
        (HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", Kind.STREAM, False),
        (HEAD + b"X: " + b"x" * MAX_HEAD_BYTES, Kind.STREAM, False),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_each_kind_of_request_has_its_threads(
    pair: tuple[Connection, socket.socket], sent: bytes, kind: Kind, is_whole: bool
) -> None:
    connection, client = pair
    client.sendall(sent)
    while len(connection.received) < len(sent):
        assert connection.read()

    assert connection.is_ready()
    assert (connection.kind, connection.is_whole) == (kind, is_whole)


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_half_a_body_is_not_ready(pair: tuple[Connection, socket.socket], framing: bytes) -> None:
    connection, client = pair
    client.sendall(HEAD + framing + b"\r\n5\r\nabc")
    assert connection.read()

    assert not connection.is_ready()


def test_a_client_that_ends_or_resets_sends_no_more(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, client = pair
    assert connection.read()  # nothing yet, which is no end
    client.close()

    assert not connection.read()


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SEND_SECONDS", 1)
    connection, client = connected()
    with client, connection.sock, pytest.raises(BlockingIOError):
        connection.sock.sendall(b"x" * 50_000_000)


def test_a_body_that_comes_too_slowly_is_given_up(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.05)
    connection, client = pair
    client.sendall(HEAD + LARGE + b"a little")
    assert connection.read()
    assert connection.is_ready()
    connection.init()
    request = next(connection.parser)

    with pytest.raises(TimeoutError):
        request.body.read()


def test_no_pause_is_too_long_for_what_came_fast_before(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace counts all that came, so time in which nothing was asked for costs nothing."""
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.05)
    connection, client = pair
    connection.kind = Kind.STREAM
    connection.init()
    unreader = connection.parser.unreader
    for _ in range(3):
        client.sendall(b"x" * connections.BYTES_PER_SECOND)
        assert len(unreader.chunk(connections.BYTES_PER_SECOND)) == connections.BYTES_PER_SECOND

    assert connection.sock.gettimeout() is None
