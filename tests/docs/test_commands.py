"""Each command of the documentation, run as a reader runs it, on what `make run` starts.

The `sh` blocks of a page run in turn, all in one shell. What one prints must equal the `json` or
`text` block right after it; a block without one must print nothing. A page that does not log in
itself goes on from the start of the tour. tests/docs/elsewhere.py lists the blocks that something
else runs.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import elsewhere
from tests.docs.pages import DOCS, PAGES, SHELL, Block, blocks, name_of
from tests.docs.shell import beside_a_service, without_what_varies
from tests.fido.processes import PROJECT

README, TOUR = PROJECT / "README.md", DOCS / "tour.md"
CODE = {"python", "ts"}
KNOWN = {SHELL, *CODE, "text", "json", "yaml", "{toctree}"}
A_COMMAND = re.compile(
    r"^\s*(\$ |(make|curl|fido|docker|git|pip|python3?|sh|manage\.py|pg_dump) \S)", re.MULTILINE
)
LOGS_IN = "API="
# On these pages the environment says which servers to use.
OPERATORS = {"docs/backup.md", "docs/servers.md"}
# What docs/servers.md tells its reader to write into the file, once it is there.
IS_MADE = "cp .env.example .env"
BY_HAND = """fill ALLOWED_HOSTS localhost
fill DATABASE_URL "$DATABASE_URL"
fill REDIS_URL "$REDIS_URL"
"""


def shell_blocks(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.language == SHELL]


def login_of(path: Path) -> Block:
    return next(block for block in shell_blocks(path) if block.text.startswith(LOGS_IN))


def as_typed(path: Path) -> list[Block]:
    """What a reader types of a page, with what its text tells them to do before and between."""
    found = [
        block
        for block in shell_blocks(path)
        if not elsewhere.is_listed(block) and not elsewhere.is_for_containers(block)
    ]
    uses_the_tour = any("fido " in block.text or "$TOKEN" in block.text for block in found)
    if uses_the_tour and not any(block.text.startswith(LOGS_IN) for block in found):
        found.insert(0, login_of(TOUR))
    for number, block in enumerate(found):
        if block.text.startswith(IS_MADE):
            return [*found[: number + 1], Block(block.page, SHELL, BY_HAND), *found[number + 1 :]]
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Looks like the project's folder, but what a command writes there stays out of the project."""
    for entry in PROJECT.iterdir():
        if entry.name not in {".env", ".fido", ".git"}:
            (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


# One test, because the service takes longer to start than all the commands together.
def test_each_command_prints_what_its_page_shows(clone: Path) -> None:
    wrong: list[str] = []
    with beside_a_service() as shell:
        assert _shown_by_the_quickstart() in without_what_varies(shell.said)
        for path in (README, *(page for page in PAGES if page != README)):
            if commands := as_typed(path):
                of_operator = name_of(path) in OPERATORS
                printed, errors = shell.typed(commands, clone, by_operator=of_operator)
                wrong += differences(commands, printed, errors)

    # An assertion would shorten them.
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def differences(typed: list[Block], printed: list[str], errors: str) -> Iterator[str]:
    for block, output in zip(typed, printed, strict=False):
        if without_what_varies(output) != without_what_varies(block.output):
            yield f"--- {block.page}:\n{block.text}\n--- printed:\n{output}\n{errors}"
    if len(printed) < len(typed):
        left = len(typed) - len(printed)
        yield f"--- {typed[-1].page}: {left} blocks were not reached:\n{errors}"


def _shown_by_the_quickstart() -> str:
    quickstart = next(block for block in blocks(README) if "Fido is up" in block.text)
    return without_what_varies(quickstart.text)


def test_the_readme_and_the_tour_begin_alike() -> None:
    assert login_of(README).text == login_of(TOUR).text


@pytest.mark.parametrize("entry", elsewhere.LISTED, ids=lambda entry: entry.begins)
def test_what_is_run_elsewhere_is_one_block_and_is_run_there(entry: elsewhere.Elsewhere) -> None:
    found = [block for path in PAGES for block in shell_blocks(path) if entry.is_about(block)]

    assert len(found) == 1
    assert entry.why
    assert bool(entry.where) == bool(entry.shows)
    if entry.where:
        assert entry.shows in (PROJECT / entry.where).read_text()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_command_hides_in_a_block_of_another_kind(path: Path) -> None:
    found = blocks(path)

    assert {block.language for block in found} - KNOWN == set()
    for block in found:
        if block.language not in {SHELL, *CODE}:
            assert not A_COMMAND.search(block.text), block.text


def test_most_blocks_are_run_here() -> None:
    everything = [block for path in PAGES for block in shell_blocks(path)]
    containers = [block for block in everything if elsewhere.is_for_containers(block)]

    assert len(containers) + len(elsewhere.LISTED) < len(everything) / 3
