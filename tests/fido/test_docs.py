"""Everything that the documentation names exists, and everything that exists is named."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

from fido.env import Environment
from tests.fido.processes import PROJECT

CODE = ("fido", "accounts", "transactions", "analytics", "manage.py")
CONFIGURATION = (PROJECT / "docs" / "configuration.md").read_text()
DEVELOPMENT = (PROJECT / "docs" / "development.md").read_text()
ENV_EXAMPLE = (PROJECT / ".env.example").read_text()
DOCUMENTS = [
    PROJECT / ".env.example",
    *sorted(PROJECT.glob("*.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
# Decisions also name routes that were rejected, and folders of a system.
GUIDES = [document for document in DOCUMENTS if document.parent.name != "adr"]
# Read from the environment, but not a setting of Fido.
# Nobody sets these: the system does, or `make run` for its web server.
NO_SETTINGS = {"PATH", "FIDO_OPENS_AFTER"}
MADE_WHEN_IT_RUNS = {
    *(".fido/", ".secrets/", ".site/", "backups/"),
    *("build/clients/python/", "build/clients/typescript/"),
}
MAPPINGS = {"os.environ", "environment", "everyone.environment"}
VARIABLE = re.compile(r"^(#?)([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
# In code or code blocks: `word/word.ext`, and folders that end with a slash.
PATH_IN_TEXT = re.compile(
    r"(?<![\w/.:-])((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|md|txt|toml|html))?)(?=[\s`),;])"
)
ROUTE_IN_TEXT = re.compile(
    r"(?:\$API|http://localhost:8000|`(?:[A-Z]+(?:, [A-Z]+)* )?)(/[\w$/{}-]*)"
)
# The reader's own machine, and example hosts; readers choose where packages come from.
OUR_HOSTS = re.compile(r"localhost|127\.0\.0\.1|host|(\w+\.)?example\.org")
MAKE = re.compile(r"(?:`|^|\) )make ([a-z-]+)", re.MULTILINE)
HOST_IN_TEXT = re.compile(r"\w+://(?:[^\s/@]*@)?([\w.-]+)")


class TestEnvExample:
    def test_every_variable_that_is_read_is_documented(self) -> None:
        assert set(_read_by_code()) - set(_documented()) == set()

    def test_every_variable_that_is_documented_is_read(self) -> None:
        assert set(_documented()) - set(_read_by_code()) == set()

    def test_defaults_are_those_of_the_code(self) -> None:
        code = {name: default for name, default in _read_by_code().items() if default}

        assert {name: _documented()[name] for name in code} == code

    def test_a_secret_has_no_value(self) -> None:
        for name in ("SECRET_KEY", "JWT_SIGNING_KEY", "FERNET_KEYS", "BLIND_INDEX_KEYS"):
            assert re.search(rf"^{name}=$", ENV_EXAMPLE, re.MULTILINE), name

    def test_each_variable_stands_below_a_comment_that_explains_it(self) -> None:
        blocks = [block for block in ENV_EXAMPLE.split("\n\n") if VARIABLE.search(block)]

        assert all(re.match(r"# [A-Z]", block) for block in blocks)
        assert sum(len(VARIABLE.findall(block)) for block in blocks) == len(blocks)

    def test_a_shell_reads_it_as_it_is(self) -> None:
        command = "set -eua; . ./.env.example; printf '%s' \"[$SECRET_KEY]\""

        shell = subprocess.run(
            ["sh", "-c", command], check=False, cwd=PROJECT, capture_output=True, text=True
        )

        assert (shell.stdout, shell.stderr) == ("[]", "")


def test_the_configuration_names_every_variable() -> None:
    assert [name for name in _documented() if f"### `{name}`\n" not in CONFIGURATION] == []


def test_make_targets_are_those_that_the_list_of_commands_names() -> None:
    commands = DEVELOPMENT.partition("## Commands\n")[2].partition("\n## ")[0]

    assert set(MAKE.findall(commands)) == _targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    assert set(MAKE.findall(document.read_text())) - _targets() == set()


def _targets() -> set[str]:
    makefile = (PROJECT / "Makefile").read_text()
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) - {"help"}


def test_every_management_command_that_is_named_exists() -> None:
    texts = (document.read_text() for document in DOCUMENTS)
    named = {name for text in texts for name in re.findall(r"manage\.py ([a-z_]+)", text)}
    ours = {name for name, app in get_commands().items() if app in {"fido", *CODE}}

    assert named - set(get_commands()) == set()
    assert ours - named == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    paths = set(_paths_in(text)) - MADE_WHEN_IT_RUNS
    missing += [path for path in paths if not (PROJECT / path).exists()]

    assert missing == []


def _steps(title: str) -> list[str]:
    """The numbered steps under a heading of docs/development.md."""
    section = DEVELOPMENT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d\. (.+)$", section, re.MULTILINE)


@pytest.mark.parametrize("title", ["Add a field", "Add a rule", "Add a route"])
def test_a_newcomers_change_has_at_most_eight_places(title: str) -> None:
    assert 2 < len(_steps(title)) <= 8


@pytest.mark.parametrize("step", _steps("Add a field"), ids=lambda step: step[:30])
def test_each_place_of_a_field_has_the_one_of_the_example(step: str) -> None:
    for place in re.findall(r"`([\w./-]+(?:\.py|\.md|/))`", step)[:1]:
        path = PROJECT / place
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        assert any("category" in file.read_text() for file in files), place


def test_the_field_of_the_example_stands_in_no_other_place() -> None:
    told = {place for step in _steps("Add a field") for place in re.findall(r"`([\w./]+)`", step)}
    # These choose to give it, like the demonstration and banks' files.
    more = {"transactions/api/funds.py", "transactions/imports/bank_files.py"}
    apart = tuple(
        f"transactions/{name}/" for name in ("migrations", "demo", "statements", "mappings")
    )
    code = [file for app in CODE for file in sorted((PROJECT / app).rglob("*.py"))]
    found = {
        str(file.relative_to(PROJECT))
        for file in code
        if re.search(r"\bcategory\b(?!\()", file.read_text())
    }

    assert {
        path for path in found - told - more if not path.startswith((*apart, "analytics/"))
    } == set()


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.name)
def test_every_route_that_is_named_exists(document: Path) -> None:
    routes = _routes(document) - {"/api/v1"}

    assert [route for route in sorted(routes) if not _leads_somewhere(route)] == []


def test_every_route_that_exists_has_a_place_in_the_guides() -> None:
    guides = [guide for guide in GUIDES if guide.parent.name == "docs"]
    named = {_nameless(route) for guide in guides for route in _routes(guide)}
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    routes = [path.removeprefix("/api/v1") for path in paths]

    assert len(routes) > 20
    assert [route for route in routes if _nameless(route) not in named] == []


def _routes(document: Path) -> set[str]:
    return set(ROUTE_IN_TEXT.findall(document.read_text()))


def _nameless(route: str) -> str:
    return re.sub(r"\{\w+\}|\$[A-Z]+", "{}", route)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_other_host_is_named(document: Path) -> None:
    hosts = HOST_IN_TEXT.findall(document.read_text())

    assert [host for host in hosts if not OUR_HOSTS.fullmatch(host)] == []


def _documented() -> dict[str, str]:
    return {name: value for _, name, value in VARIABLE.findall(ENV_EXAMPLE)}


def _read_by_code() -> dict[str, str | None]:
    """Each variable that the code looks up, with its default if that is a literal."""
    found: dict[str, str | None] = {}
    for folder in CODE:
        path = PROJECT / folder
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            tree = ast.parse(file.read_text())
            found |= dict(_look_ups(tree, _constants(tree)))
    return {name: default for name, default in found.items() if name not in NO_SETTINGS}


def _look_ups(tree: ast.Module, constants: dict[str, str]) -> Iterator[tuple[str, str | None]]:
    methods = {f"env.{name}" for name in vars(Environment) if not name.startswith("_")}
    methods |= {"os.getenv", *(f"{mapping}.get" for mapping in MAPPINGS)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in methods:
            key, default = node.args[0], _default(node)
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in MAPPINGS:
            key, default = node.slice, None
        else:
            continue
        if isinstance(key, ast.Constant):
            yield str(key.value), default
        elif isinstance(key, ast.Name) and key.id in constants:
            yield constants[key.id], default


def _default(call: ast.Call) -> str | None:
    """The literal default of a lookup, in the form of an environment variable."""
    named = [word.value for word in call.keywords if word.arg == "default"]
    # The meaning comes before it, if there is one.
    place = 2 if ast.unparse(call.func) == "env.text" else 1
    for value in named or call.args[place : place + 1]:
        if isinstance(value, ast.Constant) and ast.unparse(call.func) != "env.secret":
            return "off" if value.value is None else _written(value.value)
    return None


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _constants(tree: ast.Module) -> dict[str, str]:
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def _paths_in(text: str) -> list[str]:
    code = re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL)
    return [path for part in code for path in PATH_IN_TEXT.findall(part)]


def _leads_somewhere(route: str) -> bool:
    path = re.sub(r"\{\w+\}|\$[A-Z]+", "1", route)
    transaction = path.replace("/1", "/01890000-0000-7000-8000-000000000000")
    return any(_resolves(start + end) for start in ("", "/api/v1") for end in (path, transaction))


def _resolves(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True
