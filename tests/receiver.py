"""A webhook receiver on a real socket, which can also be down, slow, or redirecting."""

from contextlib import suppress

from tests.races import DEADLINE_SECONDS
from tests.stub_server import QuietHandler, StubServer


class Receiver(StubServer):
    """Records what arrives, and answers `status`; `hangs` accepts the request and stays silent."""

    path = "/hook?a=1"

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], str]] = []
        self.paths: list[str] = []
        self.status, self.headers = 204, dict[str, str]()
        self.hangs = False
        self.dripping = False
        self.connections, self.body = 0, b""
        receiver = self

        class Handler(QuietHandler):
            def setup(self) -> None:
                super().setup()
                receiver.connections += 1

            def do_POST(self) -> None:  # noqa: N802 - http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.received.append((dict(self.headers.items()), body))
                receiver.paths.append(self.path)
                with suppress(OSError):
                    self._answer()

            def _answer(self) -> None:
                if receiver.hangs:
                    receiver.finished.wait(DEADLINE_SECONDS)
                while receiver.dripping and not receiver.finished.wait(0.02):
                    self.wfile.write(b"H")
                self.send_response(receiver.answers())
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

        super().__init__(Handler)

    def answers(self) -> int:
        return self.status
