"""An installed Chromium against the real portal, served by gunicorn from a database with commits."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Visit:
    """A page, where it is, and everything that went wrong on it."""

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a path of the portal."""
        self.page.goto(self.base + path)

    def check(self) -> None:
        """No error in the console, no breach of the content policy, no answer of 400 or more."""
        assert not self.wrong, self.wrong


@pytest.fixture(scope="module")
def browser(django_db_setup: None) -> Iterator[Browser]:
    """Debian's Chromium; skipped in words where it is missing, failed where it must be there."""
    if CHROMIUM is None:
        message = "browser tests need an installed Chromium (Debian: apt install chromium)"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as driver:
        # The driver keeps an event loop in this thread, where Django would refuse its database to plain code.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _n in range(300):
        if server.poll() is not None:
            pytest.fail(f"the web server ended: {log.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=20).close()  # noqa: S310 - our own address
            return
        time.sleep(0.1)
    pytest.fail("the web server did not answer within 30 s")


@pytest.fixture
def portal(stack: str, tmp_path: Path) -> Iterator[str]:
    """The demonstration's portal as it is served in life: gunicorn in a process of its own, on the test's database."""
    port, log = _free_port(), tmp_path / "web.log"
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
    command += ["--no-control-socket", "portal.wsgi:application"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "PORTAL_DEMONSTRATION": "1"}, cwd=settings.BASE_DIR
        )  # fmt: skip
        try:
            _wait_for(f"http://127.0.0.1:{port}/", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture
def visit(browser: Browser, portal: str) -> Iterator[Visit]:
    """A fresh browser window at the portal, listening for trouble."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    context.set_default_timeout(20_000)
    found = Visit(context.new_page(), portal)
    found.page.on(
        "console", lambda said: found.wrong.append(said.text) if said.type in ("error", "warning") else None
    )
    found.page.on("pageerror", lambda error: found.wrong.append(str(error)))
    found.page.on(
        "response",
        lambda answer: found.wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
    )
    yield found
    context.close()
