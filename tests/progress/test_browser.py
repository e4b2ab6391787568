"""The leader's page in a real browser, at a desk and on a phone."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections

from foundation.scope.context import places_scope
from progress.services.figures import rebuild
from tests.progress.conftest import Count
from tests.progress.test_page import client_of

pytestmark = pytest.mark.browser


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, and leave no connection behind that would keep the test's database."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


@pytest.fixture
def address(committed: Count) -> Iterator[str]:
    """The portal on a free port, over the test's own database with a few days of payments."""
    _people(committed)
    server = make_server(
        "127.0.0.1", 0, StaticFilesHandler(get_wsgi_application()), server_class=_Server, handler_class=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def browser() -> Iterator[Any]:
    """An installed Chromium; skipped in plain words where there is none, unless it is required."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("No Chromium is installed, and REQUIRE_BROWSER asks for one.")
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


def _people(county: Count) -> None:
    county.targets("medical", jia=10, yi=10)
    charges = [
        (unit, days) for unit in (county.cast.dong, county.cast.xi, county.cast.nan) for days in range(4)
    ]
    with places_scope(county.cast.places):
        for unit, days in charges:
            county.pay(county.person(unit), at=datetime.now(tz=UTC) - timedelta(days=days))
    rebuild(county.plan)


@pytest.fixture
def cookie(committed: Count, address: str) -> dict[str, str]:
    """The leader's session; made before the browser starts, whose loop keeps Django's database away."""
    client = client_of(committed, "county_leader")
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_page_draws_its_chart_under_the_strict_policy(
    committed: Count, address: str, cookie: dict[str, str], browser: Any, width: int, height: int
) -> None:
    """Nothing is refused by the content policy, the chart is drawn, nothing sticks out sideways."""
    context = browser.new_context(viewport={"width": width, "height": height})
    context.add_cookies([cookie])
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    assert page.goto(f"{address}/progress/").status == 200
    page.wait_for_selector("[data-chart] canvas")
    painted = page.evaluate(
        "() => { const c = document.querySelector('[data-chart] canvas');"
        " return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 20; }"
    )
    assert painted
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.click("#far >> xpath=ancestor::section >> summary")
    assert "任务表" in page.inner_text("section[aria-labelledby=far] details")
    page.click(".rank tbody a:has-text('甲镇')")
    page.wait_for_url(f"**/progress/{committed.cast.jia.code}/**")
    assert page.inner_text("h1").startswith("甲镇")
    context.close()
