"""The readable page of the API in a real browser."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.portal.conftest import build_office

pytestmark = pytest.mark.browser


def test_the_api_page_draws_itself_from_our_own_files(visit: Visit) -> None:
    """The strict content policy holds, no other host is asked, and an endpoint can be unfolded."""
    build_office()
    hosts: set[str] = set()
    visit.page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    visit.open("/")
    visit.page.get_by_role("button", name="审计局").click()
    visit.page.wait_for_url("**/admin/")
    visit.open("/api/docs/")
    visit.page.get_by_text("/api/v1/payments", exact=True).first.wait_for()
    visit.page.locator(".opblock-summary", has_text="/api/v1/payments").first.click()
    visit.page.locator(".opblock-body").first.wait_for()
    visit.check()
    assert hosts == {visit.base.split("/")[2]}
