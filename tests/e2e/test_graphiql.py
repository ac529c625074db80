"""GraphiQL in a real browser: log in, run a query, see the answer; and nothing is loaded from elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from graphql import build_schema, parse, validate
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from app.http.graphiql_page import FOLDER
from app.main import Application
from app.platform import Platform
from schema.sdl import printed
from tests.conftest import settings_for

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
EMAIL, PASSWORD, SLUG = "founder@browser.test", "correct horse battery staple 42", "acme"


def test_every_saved_example_is_valid() -> None:
    core = build_schema(printed())
    examples = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
    assert len(examples) >= 6
    for example in examples:
        assert example["es"]
        assert example["en"]
        assert validate(core, parse(example["query"])) == [], example["en"]


def test_the_page_refers_to_its_own_files_only() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    references = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert references
    for reference in references:
        assert reference.startswith(("/graphiql/", "data:")), reference
        if reference.startswith("/graphiql/"):
            assert (FOLDER / reference.removeprefix("/graphiql/")).is_file()


async def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(application: Application) -> None:
    transport = httpx.ASGITransport(application.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        page = await client.get("/graphiql")
        assert page.status_code == 200
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert "http" not in page.headers["content-security-policy"].replace("https:", "")
        script = re.search(r'src="(/graphiql/assets/[^"]+\.js)"', page.text)
        assert script is not None
        asset = await client.get(script.group(1))
        assert (asset.status_code, asset.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert (await client.get("/graphiql/examples.json")).json()
        assert (await client.get("/graphiql/assets/../../settings.py")).status_code == 404
        assert (await client.get("/")).headers["location"] == "/graphiql"


class Served(threading.Thread):
    """The application in a thread with an event loop of its own."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self.settings = settings_for(public_url="http://127.0.0.1")
        self.dsn = dsn
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        application = Application(self.settings, dsn)
        self.server = uvicorn.Server(
            uvicorn.Config(
                application.asgi, host="127.0.0.1", port=self.port, log_level="error", ws="websockets-sansio"
            )
        )

    def run(self) -> None:
        """Found the tenant, then serve."""
        asyncio.run(self._found())
        self.server.run()

    async def _found(self) -> None:
        platform = Platform(self.settings, self.dsn)
        await platform.open()
        await platform.queue.open_async()
        await platform.founder.found(
            slug=SLUG, name="Browser", admin_email=EMAIL, admin_name="Fundadora Soto", password=PASSWORD
        )
        await platform.queue.close_async()
        await platform.close()


@pytest.fixture
def served_url(database_dsn: str) -> Iterator[str]:
    served = Served(database_dsn)
    served.start()
    deadline = time.monotonic() + 20
    while not served.server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{served.port}"
    served.server.should_exit = True
    served.join(10)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    if BROWSER is None or DRIVER is None:
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail("chromium and chromedriver are required here and not installed")
        pytest.skip("chromium and chromedriver are not installed")
    options = ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,900",
        f"--user-data-dir={tmp_path / 'profile'}", "--lang=en-US",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = Chrome(options=options, service=Service(executable_path=DRIVER))
    yield made
    made.quit()


class Page:
    """GraphiQL as a person uses it."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.wait = WebDriverWait(browser, 20)
        browser.get(f"{url}/graphiql")
        self.wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".graphiql-query-editor .view-lines"))

    def fill(self, name: str, value: str) -> None:
        """Type into one of the bar's fields."""
        field = self.browser.find_element(By.ID, name)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value, Keys.ENTER)

    def example(self, text: str) -> None:
        """Open a saved example."""
        self.wait.until(lambda b: len(Select(b.find_element(By.ID, "examples")).options) > 1)
        Select(self.browser.find_element(By.ID, "examples")).select_by_visible_text(text)
        self.wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".graphiql-query-editor .view-lines"))
        time.sleep(0.5)

    def write(self, editor: str, text: str) -> None:
        """Replace the text of an editor (Monaco keeps it in a hidden text area)."""
        area = self.browser.find_element(By.CSS_SELECTOR, f"{editor} .view-lines")
        area.click()
        focused = self.browser.switch_to.active_element
        focused.send_keys(Keys.CONTROL, "a")
        focused.send_keys(Keys.DELETE)
        self.browser.execute_cdp_cmd("Input.insertText", {"text": text})

    def run(self) -> None:
        """Press the button."""
        self.browser.find_element(By.CSS_SELECTOR, ".graphiql-execute-button").click()

    def answer(self, part: str) -> str:
        """The answer, once it holds a text."""

        def shown(browser: Chrome) -> str | None:
            text = browser.find_element(By.CSS_SELECTOR, ".graphiql-response").text.replace("\xa0", " ")
            return text if part in text else None

        found: str = self.wait.until(shown)  # type: ignore[assignment]
        return found


def test_log_in_run_a_query_see_the_answer_without_a_console_error(browser: Chrome, served_url: str) -> None:
    page = Page(browser, served_url)
    page.fill("tenant", SLUG)
    page.example("Log in (demo student)")
    page.write(".graphiql-editor-tool", json.dumps({"input": {"email": EMAIL, "password": PASSWORD}}))
    page.run()
    page.answer("AuthPayload")
    page.wait.until(lambda b: b.find_element(By.ID, "notice").text)
    page.example("Who am I?")
    page.run()
    assert "Fundadora Soto" in page.answer(EMAIL)
    if folder := os.environ.get("SCREENSHOTS"):
        browser.save_screenshot(f"{folder}/graphiql.png")
    console = browser.get_log("browser")  # type: ignore[no-untyped-call]
    severe = [entry for entry in console if entry["level"] == "SEVERE"]
    assert severe == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert [name for name in loaded if not name.startswith((served_url, "blob:", "data:"))] == []
