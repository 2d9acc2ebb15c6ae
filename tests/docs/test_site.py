"""The site that `make docs` builds."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import DOCS
from tests.fido.processes import PROJECT
from tests.races import DEADLINE_SECONDS

needs_sphinx = pytest.mark.skipif(find_spec("sphinx") is None, reason="`make test` installs it")
# What a browser fetches by itself.
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset"}
# And what it fetches for a style sheet or a script.
ELSEWHERE = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//|fetch\([\"']https?://")
MAKEFILE = (PROJECT / "Makefile").read_text()


class Page(HTMLParser):
    """Its anchors, its links, and what is fetched for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.fetched = {""}, list[str](), list[str]()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value for name, value in attrs if value is not None}
        self.anchors |= {named["id"]} if "id" in named else set()
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if named.get(FETCHED.get(tag, "")) and named.get("rel") != "canonical":
            self.fetched.append(named[FETCHED[tag]])


def built(docs: Path, site: Path) -> str:
    """What the builder complains of, with the options of `make docs`."""
    options = re.search(r"^SPHINX = (.*)$", MAKEFILE, re.MULTILINE)
    assert options
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options[1].split(), str(docs), str(site)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    return f"{done.stderr}status {done.returncode}" if done.returncode else ""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert built(DOCS, folder) == ""
    return folder


# One test, so that parallel processes do not build a site each.
@needs_sphinx
def test_the_site_is_whole(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}

    assert len(pages) > len(list(DOCS.rglob("*.md")))
    assert [fetched for page in pages.values() for fetched in page.fetched if "//" in fetched] == []
    for path in [*site.rglob("*.css"), *site.rglob("*.js")]:
        assert not ELSEWHERE.search(path.read_text()), path
    assert [lost for path in pages for lost in _lost(path, pages)] == []
    _assert_all_can_be_found(site)


def _lost(path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for link in pages[path].links + pages[path].fetched:
        if "//" not in link and not link.startswith("data:"):
            place, _, anchor = link.partition("#")
            target = (path.parent / place.partition("?")[0]).resolve() if place else path
            is_there = target.exists() and (target not in pages or anchor in pages[target].anchors)
            if not is_there:
                yield f"{path.name}: {link}"


def _assert_all_can_be_found(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    for page in DOCS.rglob("*.md"):
        assert f'"{page.relative_to(DOCS).with_suffix("")}"' in index
    for stem in ("idempot", "wallet", "fernet_key"):
        assert f'"{stem}":' in index


@needs_sphinx
def test_a_fault_in_a_page_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("conf.py", "scorer.js", "images"):
        (docs / name).symlink_to(DOCS / name)
    (docs / "index.md").write_text("# A page\n[1](none.md) [2](#nothing) ![3](none.png)\n")
    (docs / "forgotten.md").write_text("# In no list\n")

    said = built(docs, tmp_path / "site")

    for fault in ("'none.md'", "'nothing'", "none.png", "forgotten.md"):
        assert fault in said
    assert said.endswith("status 1")


def test_the_page_of_the_configuration_is_made_from_the_example_file() -> None:
    made = subprocess.run(
        [sys.executable, "docs/generate_configuration.py"],
        check=True,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )

    assert made.stdout == (DOCS / "configuration.md").read_text(), "run `make docs`"


def test_pictures_are_small() -> None:
    for picture in (DOCS / "images").glob("*.png"):
        assert picture.stat().st_size < 150_000, picture


def test_the_readme_stays_a_front_door() -> None:
    assert len((PROJECT / "README.md").read_text().split()) < 1_000
