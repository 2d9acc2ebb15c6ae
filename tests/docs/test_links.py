"""Each link within the repository leads to a file, and to a heading that is there.

The site's builder checks the same for docs/, but for no other page and no file outside of it.
"""

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, anchors, links, name_of
from tests.fido.processes import PROJECT

# The site's own first page, and one that every page may lead to.
OF_THE_SITE = {"index.md", "glossary.md"}
# As in docs/index.md; the API guide itself is in the table.
BESIDE_THE_API_GUIDE = "[ac][pl]i[-e]*.md"


def lost(path: Path) -> list[str]:
    return [link for link in links(path) if "://" not in link and not _leads_somewhere(path, link)]


def _leads_somewhere(path: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    target = (path.parent / place).resolve() if place else path
    if not target.exists() or PROJECT not in target.parents:
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_each_link_leads_somewhere(path: Path) -> None:
    assert lost(path) == []


def test_a_lost_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.test_links.PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A title, twice\n[1](#a-title-twice) [2](#b) [3](none.md) `[4](code)` [5](../..)\n"
    )

    assert lost(page) == ["#b", "none.md", "../.."]


def test_the_readme_leads_to_each_part_of_the_documentation() -> None:
    linked = {(PROJECT / link).resolve() for link in links(PROJECT / "README.md")}

    guides = {page for page in DOCS.glob("*.md") if page.name not in OF_THE_SITE}
    assert guides - {*DOCS.glob(BESIDE_THE_API_GUIDE)} - linked == set()


def test_each_decision_has_a_row_in_the_list() -> None:
    listed = set(links(DOCS / "adr" / "README.md"))

    assert {path.name for path in (DOCS / "adr").glob("0*.md")} == listed
