"""A real browser, for tests of what a visitor sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
REQUIRED_VARIABLE = "HEALING_BROWSER_TESTS"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# Other tests run beside these, on few cores.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless; skips where there is none, unless one has to be there.

    Not for the whole session: as long as Playwright runs, no other event loop may in its thread.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        why = (
            f"no browser: none of {', '.join(NAMES)} is on the PATH "
            "(`apt-get install chromium` makes these tests run)"
        )
        if os.environ.get(REQUIRED_VARIABLE) == "required":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a visitor's own; a fault in a script, or what the policy refuses, fails a test."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: errors.append(said.text) if "Security Policy" in said.text else None,
    )
    yield page
    context.close()
    assert not errors
