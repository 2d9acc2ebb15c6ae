"""Progress of a long command, as its operator sees it."""

from io import StringIO

from fido.lib.commands.progress import progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar() -> None:
    terminal = Terminal()

    with progress("Moving", 4, stream=terminal) as advance:
        advance(4)

    assert "Moving" in terminal.getvalue()
    assert "━" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()


def test_anything_else_gets_a_line_at_the_end() -> None:
    file = StringIO()

    with progress("Moving", 3000, stream=file) as advance:
        advance(1000)
        advance(500)

    assert file.getvalue() == "Moving: 1,500 of 3,000\n"


def test_a_line_is_written_whenever_one_is_due() -> None:
    file = StringIO()

    with progress("Moving", stream=file, seconds_between_lines=0) as advance:
        advance(1)
        advance(1)

    assert file.getvalue() == "Moving: 1\nMoving: 2\nMoving: 2\n"
