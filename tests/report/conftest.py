"""A browser for pages; where there is none the tests say so, and in CI there is one."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("GAUSSMIX_NEEDS_BROWSER"):
            pytest.fail("GAUSSMIX_NEEDS_BROWSER is set and there is no Chromium")
        pytest.skip("needs Chromium")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=FLAGS.split())
        yield opened
        opened.close()


@pytest.fixture
def opened(browser):
    """Open a file as a page that notes what it asks for and what goes wrong in it."""
    contexts = []

    def open_file(path, width=1100, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.troubles = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.troubles.append(message.text))
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
