"""The admin's review of a file, as a browser shows and sends it."""

import html
import re
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.staff import Desk

FORM, REVIEW = "imports/import/add/", "imports/import/review/"


def previewed(desk: Desk, owner: Any, data: bytes) -> Any:
    file = SimpleUploadedFile("rows.csv", data)
    return desk.post(FORM, user_id=owner, preview="Preview", file=file)


def fields(answer: Any) -> dict[str, str]:
    """What the page's form would send, without its buttons."""
    page = answer.content.decode()
    form = page[page.index('id="review_form"') :]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "submit" or (
            attributes.get("type") == "checkbox" and " checked" not in tag
        ):
            continue
        if "name" in attributes:
            found[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


def column(form: dict[str, str], name: str) -> str:
    """The prefix of the column's fields."""
    (key,) = (key for key, value in form.items() if key.endswith("-name") and value == name)
    return key.removesuffix("name")
