"""The pages of the documentation, read as Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from tests.fido.processes import PROJECT

DOCS = PROJECT / "docs"
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
SHELL, OUTPUTS = "sh", ("text", "json")
FENCED = re.compile(r"^(`{3,})(\S*)\n(.*?)^\1\n", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE_CODE = re.compile(r"`[^`\n]+`")


@dataclass(frozen=True)
class Block:
    """A fenced block. `output` is the text of the block right after it, if that shows one."""

    page: str
    language: str
    text: str
    output: str = ""

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def blocks(path: Path) -> list[Block]:
    found = [*FENCED.finditer(path.read_text())]
    return [
        Block(name_of(path), match[2], match[3], _output(match, after))
        for match, after in zip_longest(found, found[1:])
    ]


def _output(match: re.Match[str], after: re.Match[str] | None) -> str:
    is_next = after is not None and after.start() == match.end() and after[2] in OUTPUTS
    return after[3] if after is not None and is_next else ""


def prose(path: Path) -> str:
    return FENCED.sub("", path.read_text())


def links(path: Path) -> list[str]:
    return LINK.findall(INLINE_CODE.sub("", prose(path)))


def anchors(path: Path) -> set[str]:
    return set(_anchors(HEADING.findall(prose(path))))


def _anchors(headings: list[str]) -> Iterator[str]:
    """As GitHub and the site make them: of two equal ones, the second ends with -1."""
    seen: dict[str, int] = {}
    for heading in headings:
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        yield f"{slug}-{number}" if number else slug
