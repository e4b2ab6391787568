"""The plan's document and a budget, in a real browser."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.plans.conftest import build_county

pytestmark = pytest.mark.browser


def test_leader_reads_the_plan_and_prices_a_change(visit: Visit) -> None:
    """From the leader's page to the plan, into the budget, one amount changed: tables and chart, no breach of policy."""
    build_county()
    visit.open("/")
    visit.page.get_by_role("button", name="领导").click()
    visit.page.wait_for_url("**/progress/**")
    visit.page.get_by_role("link", name="方案和测算").click()
    visit.page.get_by_role("link", name="山亭区2023年度").click()
    visit.page.get_by_text("60-69岁的老年人个人缴费部分由参保地政府或部门承担50%。").first.wait_for()
    visit.page.locator("svg.plan-calendar").wait_for()
    visit.page.get_by_role("link", name="测算改动").click()
    visit.page.locator("[name='a.medical.personal']").fill("380")
    visit.page.get_by_role("button", name="开始测算").click()
    visit.page.get_by_role("heading", name="谁付多少").wait_for()
    visit.page.locator("[data-budget] canvas").wait_for()
    assert visit.page.get_by_role("row", name="本人").first.inner_text().split() == [
        "本人", "1,175.00", "1,250.00", "+75.00",
    ]  # fmt: skip
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1280
    visit.page.set_viewport_size({"width": 800, "height": 900})
    visit.page.wait_for_function("document.documentElement.scrollWidth <= 800")
    visit.check()
