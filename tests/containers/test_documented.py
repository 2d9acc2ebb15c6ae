"""The blocks of the documentation that use Docker, typed as they are written."""

import subprocess

from tests.containers.stack import Stack
from tests.docs.elsewhere import is_for_containers
from tests.docs.pages import DOCS, SHELL, Block, blocks
from tests.races import DEADLINE_SECONDS

RESTORES = "docker compose up -d --wait db\n"


def documented() -> list[Block]:
    pages = (DOCS / name for name in ("containers.md", "operations.md", "backup.md"))
    return [
        block
        for page in pages
        for block in blocks(page)
        if block.language == SHELL and is_for_containers(block)
    ]


def test_each_command_works_as_it_is_written(stack: Stack) -> None:
    said = {}
    for block in documented():
        if block.text.startswith(RESTORES):
            # The page says that this is for an empty installation.
            stack.compose("down", "--volumes")
        said[block.text] = _typed(stack, block)
    stack.up()

    assert len(said) > 6
    assert [text for text in said if text.startswith(RESTORES)]
    checks = "".join(said.values())
    assert checks.count("users, no difference.") >= 3
    assert "Nothing is missing for a restore." in checks


def _typed(stack: Stack, block: Block) -> str:
    shell = subprocess.run(
        ["bash", "-euc", block.text],
        check=False,
        # Some of the commands would read the rest of a script.
        stdin=subprocess.DEVNULL,
        cwd=stack.folder,
        env=stack.engine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert shell.returncode == 0, f"{block.page}:\n{block.text}\n{shell.stdout}"
    return shell.stdout


def test_each_block_with_docker_is_on_a_page_that_is_tried() -> None:
    everywhere = [block for page in DOCS.rglob("*.md") for block in blocks(page)]

    assert len([block for block in everywhere if is_for_containers(block)]) == len(documented())
