"""The page at `/`, for people and for machines, and that the version is the same everywhere."""

import re
import tomllib

import pytest
from django.test import Client
from django.urls import resolve

from fido import VERSION
from fido.front import PLACES
from tests.fido.processes import PROJECT
from tests.flows.test_health import NO_DATABASE, NO_REDIS
from tests.webserver import serving

pytestmark = pytest.mark.django_db
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_browser_gets_a_page_with_links_and_the_version() -> None:
    answer = Client().get("/", headers={"Accept": BROWSER})

    page = answer.content.decode()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert {PLACES[name] for name in ("docs", "schema", "admin")} <= set(
        re.findall('href="(.*?)"', page)
    )
    assert f"Version {VERSION}." in page
    assert "Up, with its database and its cache." in page


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_a_machine_gets_json(accept: str) -> None:
    answer = Client().get("/", headers={"Accept": accept} if accept else {})

    about = answer.json()
    assert {"name": "Fido", "version": VERSION, "status": "ok"}.items() <= about.items()
    assert PLACES.items() <= about.items()
    assert answer["Vary"] == "Accept"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("place", [each for name, each in PLACES.items() if name != "api"])
def test_each_place_exists(place: str) -> None:
    assert resolve(place)


@pytest.mark.parametrize(
    ("variable", "url", "what"),
    [("DATABASE_URL", NO_DATABASE, "database"), ("REDIS_URL", NO_REDIS, "redis")],
)
def test_without_a_server_the_page_says_which(variable: str, url: str, what: str) -> None:
    with serving(**{variable: url}) as server:
        page = server.request("GET", "/", Accept=BROWSER)
        about = server.request("GET", "/", Accept="application/json")

    assert (page.status, about.status) == (200, 200)
    assert f"Something is wrong: {what}." in page.content.decode()
    assert b'"status": "failed"' in about.content


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    newest = re.search(
        r"^## (\S+), \d{4}-\d\d-\d\d$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
    )

    assert newest
    assert newest[1] == project["version"] == VERSION
