"""Makes docs/images/admin.png of a running demonstration:

    FIDO_STATE=.fido python docs/images/screenshot.py

It needs the package playwright, and a Chromium, whose path CHROMIUM may name. It is in no lock and
no test: a picture is made when the page has changed.
"""

import json
import os
from pathlib import Path

from playwright.sync_api import sync_playwright

STATE = Path(os.environ.get("FIDO_STATE") or ".fido")
SIZE = {"width": 1120, "height": 620}


def main() -> None:
    address = (STATE / "address").read_text().strip()
    password = json.loads((STATE / "demo.json").read_text())["password"]
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{address}/admin/")
        page.fill("#id_username", "admin")
        page.fill("#id_password", password)
        page.click("[type=submit]")
        page.goto(f"{address}/admin/transactions/transaction/")
        page.screenshot(path=Path(__file__).with_name("admin.png"))
        browser.close()


if __name__ == "__main__":
    main()
