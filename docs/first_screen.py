"""Draw docs/report.png and docs/report-dark.png, the first screen of a report: python docs/first_screen.py runs/demo

Needs Playwright and a Chromium, as the tests in a browser do.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

report = Path(sys.argv[1]) / "explanation" / "report.html"
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    for scheme, name in (("light", "report.png"), ("dark", "report-dark.png")):
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
        page.goto(report.resolve().as_uri())
        fold = page.locator(".fold").bounding_box()
        page.set_viewport_size({"width": 1280, "height": int(fold["y"] + fold["height"]) + 8})
        page.screenshot(path=Path(__file__).with_name(name))
