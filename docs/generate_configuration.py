"""Prints docs/configuration.md, made from .env.example: `make docs` does this first."""

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / ".env.example"
SECTION = re.compile(r"# --- (.+?) -+")
SETTING = re.compile(r"(#?)([A-Z][A-Z0-9_]+)=(.*)")
# Names of variables in running text, unless they are code already.
NAME = re.compile(r"(`[^`]*`)|\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?:=[\w/]+)?)")
HEAD = """# Configuration

<!-- Made from .env.example by `make docs`: change that file. -->

All configuration comes from the environment. If a variable is missing or malformed, the start \
fails with a message that names it. `make run` and `make test` need none of them: they generate \
secrets and keep them in `FIDO_STATE`. Anywhere else, those that are marked as required are. \
[`.env.example`](../.env.example) is this page as a file to fill in, and \
[On your own servers](servers.md#settings) says how to load it.
"""


def page() -> str:
    # The first block says how to use the file, which the page says in its own words.
    blocks = SOURCE.read_text().strip().split("\n\n")[1:]
    return HEAD + "".join(f"\n{_part(block.splitlines())}\n" for block in blocks)


def _part(lines: list[str]) -> str:
    if section := SECTION.fullmatch(lines[0]):
        title = section[1]
        return f"## {title[0].upper()}{title[1:]}"
    text = " ".join(line.removeprefix("#").strip() for line in lines if not SETTING.fullmatch(line))
    found = SETTING.fullmatch(lines[-1])
    text = NAME.sub(lambda match: match[1] or f"`{match[2]}`", text)
    return f"### `{found[2]}`\n{_status(found)}{text}" if found else text


def _status(found: re.Match[str]) -> str:
    optional, _, value = found.groups()
    if not optional:
        return "*Required.* "
    return f"*Default: `{value}`.* " if value else "*Optional.* "


if __name__ == "__main__":
    print(page(), end="")
