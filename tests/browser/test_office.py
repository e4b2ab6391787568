"""From the door to a resident's page and to a payment, as people go, in a real browser."""

from __future__ import annotations

import pytest

from contributions.models import Payment
from foundation.scope.context import places_scope
from tests.browser.conftest import Visit
from tests.portal.conftest import OWN, build_office

pytestmark = pytest.mark.browser


def test_clerk_walks_from_the_door_to_a_resident(visit: Visit) -> None:
    """Door, desk, list, filter panel, search, resident; nothing in the console, no breach of the policy."""
    build_office()
    visit.open("/")
    visit.page.get_by_role("button", name="镇街经办").click()
    visit.page.wait_for_url("**/admin/")
    visit.page.get_by_role("heading", name="甲镇，今天要做的").wait_for()
    visit.page.get_by_role("link", name="居民与名单").click()
    visit.page.get_by_role("heading", name="居民").wait_for()
    visit.page.locator("a", has_text="筛选").first.click()
    visit.page.locator("#changelist-filter").wait_for()
    visit.page.keyboard.press("Escape")
    visit.page.get_by_placeholder("姓名、首字母、后四位、村名").fill(OWN)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/change/")
    visit.page.get_by_role("heading", name=OWN).wait_for()
    visit.page.get_by_text("改电话或家庭").click()
    visit.page.get_by_label("绰号").fill("木匠")
    visit.page.get_by_role("button", name="保存").click()
    visit.page.get_by_text("已改好，经过里有记录。").wait_for()
    visit.check()


def test_agent_takes_a_households_payment_on_a_phone(visit: Visit) -> None:
    """Round, household, one total that follows the ticks, one press; the payment is in the database."""
    office = build_office()
    with places_scope(office.season.cast.places):
        office.season.charge(office.season.cast.dong, name="欠缴户")
    visit.page.set_viewport_size({"width": 360, "height": 740})
    visit.open("/")
    visit.page.get_by_role("button", name="村代办员").click()
    visit.page.get_by_text("欠缴户").first.click()
    total = visit.page.locator("[data-total]")
    total.wait_for()
    assert total.inner_text() == "350.00"
    visit.page.locator("input[name=line]").uncheck(force=True)
    assert total.inner_text() == "0.00"
    assert visit.page.get_by_role("button", name="已经付了，登记").is_disabled()
    visit.page.locator("input[name=line]").check(force=True)
    visit.page.get_by_role("button", name="已经付了，登记").click()
    visit.page.get_by_text("已记下 350.00 元").wait_for()
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360, "nothing hangs over the edge of a phone"
    with places_scope(office.season.cast.places):
        assert Payment.objects.filter(payer_name="欠缴户").count() == 1
    visit.check()


def test_themes_own_pages_run_clean(visit: Visit) -> None:
    """The administrator's lists and forms: the theme's scripts run under the office's policy."""
    build_office()
    visit.open("/")
    visit.page.get_by_role("button", name="系统管理员").click()
    for name in ("用户", "村居", "代收单位", "任务", "留痕"):
        visit.page.get_by_role("link", name="系统").click()
        visit.page.get_by_role("link", name=name, exact=True).click()
        visit.page.locator("#content").wait_for()
    visit.open("/admin/townships/user/add/")
    visit.page.get_by_text("用户名").first.wait_for()
    visit.check()
