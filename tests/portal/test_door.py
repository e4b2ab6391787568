"""The door: sign-in, lock-out by user name, one button per role in the demonstration alone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as settings_module
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from foundation.clock.services import set_business_date
from tests.factories import Cast, make_cast
from townships.models import Role
from townships.services.accounts import change_account, create_account

PASSWORD = "test-password-1"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def cast(db: None) -> Cast:
    """The cast."""
    return make_cast()


@pytest.fixture
def door() -> Client:
    """A browser at the door."""
    return Client()


def sign_in(door: Client, username: str, password: str = PASSWORD, **more: str) -> Any:
    """Fill in the form."""
    return door.post("/", {"username": username, "password": password, **more})


@pytest.mark.parametrize(
    ("role", "home"),
    [
        ("county_leader", "/progress/"),
        ("township_clerk", "/admin/"),
        ("tax_bureau", "/admin/"),
        ("department", "/admin/"),
        ("auditor", "/admin/"),
        ("village_agent", "/village/370406901201/"),
    ],
)
def test_each_role_lands_on_its_own_home(cast: Cast, door: Client, role: str, home: str) -> None:
    """After sign-in, the way home."""
    entered = sign_in(door, role)
    assert (entered.status_code, entered["Location"]) == (302, "/home/")
    assert door.get("/home/")["Location"] == home


def test_wrong_password_says_so_and_nothing_more(cast: Cast, door: Client) -> None:
    """A name that exists and one that does not get the same sentence."""
    one, other = sign_in(door, "auditor", "wrong"), sign_in(door, "nobody", "wrong")
    assert one.status_code == other.status_code == 400
    assert "用户名或密码不对" in one.content.decode()
    assert "用户名或密码不对" in other.content.decode()


def test_five_wrong_passwords_lock_the_name_and_not_the_address(cast: Cast, door: Client) -> None:
    """One address may be a whole township's office: its other people still get in."""
    for _n in range(4):
        assert sign_in(door, "auditor", "wrong").status_code == 400
    locked = sign_in(door, "auditor", "wrong")
    assert locked.status_code == 429
    assert "这个账号先锁住了" in locked.content.decode()
    assert "15 分钟" in locked.content.decode()
    assert sign_in(door, "auditor").status_code == 429, "locked means locked, also for the right password"
    assert sign_in(Client(REMOTE_ADDR="10.9.8.7"), "auditor").status_code == 429, "from anywhere"
    assert sign_in(door, "tax_bureau").status_code == 302


def test_next_leads_only_to_pages_of_ours(cast: Cast, door: Client) -> None:
    """The page one wanted, never another site's."""
    asked = door.get("/admin/enrollment/resident/")
    assert asked["Location"].startswith("/admin/login/") or asked["Location"].startswith("/?")
    through = door.get(asked["Location"], follow=True)
    assert 'name="next" value="/admin/enrollment/resident/"' in through.content.decode()
    assert sign_in(door, "auditor", next="https://evil.example/")["Location"] == "/home/"
    assert sign_in(Client(), "auditor", next="/progress/")["Location"] == "/progress/"


def test_demonstration_has_one_button_per_role(cast: Cast, door: Client, settings: Any) -> None:
    """Ten roles, each one press away."""
    settings.DEMONSTRATION = True
    page = door.get("/").content.decode()
    for role in Role:
        assert f'value="{role.value}"' in page
    entered = door.post("/demo/enter/", {"role": "township_clerk"})
    assert (entered.status_code, entered["Location"]) == (302, "/home/")
    assert "店子" not in page
    assert door.get("/admin/").status_code == 200


def test_buttons_never_work_outside_the_demonstration(cast: Cast, door: Client, settings: Any) -> None:
    """No button is drawn, the address answers 404, and nobody is signed in by it."""
    assert settings.DEMONSTRATION is False
    assert 'name="role"' not in door.get("/").content.decode()
    for role in [*Role.values, "", "root"]:
        assert door.post("/demo/enter/", {"role": role}).status_code == 404
    assert "_auth_user_id" not in door.session


def test_buttons_reach_only_the_accounts_named_as_roles(cast: Cast, door: Client, settings: Any) -> None:
    """An account of the same role under another name, or a locked one, has no button."""
    settings.DEMONSTRATION = True
    assert door.post("/demo/enter/", {"role": "clerk_yi"}).status_code == 404
    clerk = cast.user("township_clerk")
    clerk.is_active = False
    clerk.save()
    assert door.post("/demo/enter/", {"role": "township_clerk"}).status_code == 404
    assert 'value="township_clerk"' not in door.get("/").content.decode()


def test_business_date_is_shown_when_it_is_not_today(cast: Cast, door: Client) -> None:
    """On a moved day the door says so; on today it is silent."""
    assert "业务日期" not in door.get("/").content.decode()
    day = timezone.localdate() - timedelta(days=400)
    set_business_date(county_code=cast.county.code, day=day)
    assert f"业务日期 {day.year}年{day.month}月{day.day}日" in door.get("/").content.decode()


def test_language_is_chosen_at_the_door_and_not_by_the_browser(cast: Cast) -> None:
    """An English browser still meets Chinese; one press changes it, and it stays."""
    door = Client(HTTP_ACCEPT_LANGUAGE="en-US,en")
    assert "登录" in door.get("/").content.decode()
    door.post("/language/", {"language": "en", "next": "/"})
    assert "Sign in" in door.get("/").content.decode()


def test_signing_out_ends_the_session(cast: Cast, door: Client) -> None:
    """By a form, not by a link somebody may be sent."""
    sign_in(door, "auditor")
    assert door.get("/sign-out/").status_code == 405
    assert door.post("/sign-out/")["Location"] == "/"
    assert door.get("/admin/").status_code == 302


def test_role_change_ends_all_sessions(cast: Cast, door: Client) -> None:
    """Who gets another post signs in again; a new display name alone disturbs nobody."""
    sign_in(door, "auditor")
    auditor, boss = cast.user("auditor"), cast.user("admin")
    change_account(by=boss, user=auditor, display_name="审计一科")
    assert door.get("/admin/").status_code == 200
    change_account(by=boss, user=auditor, role=Role.FINANCE_BUREAU.value)
    assert door.get("/admin/").status_code == 302


def test_administrator_gives_a_post_its_account_by_the_page(cast: Cast, door: Client) -> None:
    """The form checks that role and scope fit; the new account gets in at the door."""
    sign_in(door, "admin")
    page = reverse("admin:townships_user_add")
    form = {
        "username": "clerk_jia_2",
        "display_name": "甲镇二号",
        "role": "township_clerk",
        "is_active": "on",
    }
    refused = door.post(page, {**form, "password": "quiet-river-82"})
    assert "镇街经办要选至少一个镇街" in refused.content.decode()
    made = door.post(page, {**form, "password": "quiet-river-82", "townships": [str(cast.jia.pk)]})
    assert made.status_code == 302, made.content.decode()[-2000:]
    assert sign_in(Client(), "clerk_jia_2", "quiet-river-82").status_code == 302


def test_account_needs_a_scope_that_fits(cast: Cast) -> None:
    """An agent without units, an office of the county with a township: refused."""
    from django.core.exceptions import ValidationError

    base: dict[str, Any] = {"by": None, "county": cast.county, "password": "quiet-river-82"}
    with pytest.raises(ValidationError):
        create_account(username="a", role="village_agent", **base)
    with pytest.raises(ValidationError):
        create_account(username="b", role="tax_bureau", townships=[cast.jia], **base)
    assert create_account(username="c", role="village_agent", units=[cast.xi], **base).scope_places().units


@pytest.mark.parametrize("address", ["/", "/admin/", "/admin/enrollment/resident/", "/village/370406901201/"])
def test_only_the_themes_own_pages_may_run_more_than_our_scripts(
    cast: Cast, door: Client, address: str
) -> None:
    """Our pages allow no inline script and no inline style; the theme's lists need both."""
    if address != "/":
        sign_in(door, "township_clerk")
    policy = door.get(address)["Content-Security-Policy"]
    looser = address == "/admin/enrollment/resident/"
    assert ("'unsafe-inline'" in policy) == looser
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy


def test_pages_that_are_not_there_say_what_to_do(cast: Cast, door: Client) -> None:
    """404 in plain Chinese, for a stranger and for somebody signed in."""
    assert "没有找到这一页" in door.get("/nothing-here/").content.decode()
    sign_in(door, "county_leader")
    missing = door.get("/village/370406901201/")
    assert missing.status_code == 403
    assert "您的岗位不能做这项操作" in missing.content.decode()


def test_every_word_has_its_english(cast: Cast) -> None:
    """No message of the English catalogue is empty, and each keeps the places for names and figures."""
    text = (settings_module.BASE_DIR / "locale/en/LC_MESSAGES/django.po").read_text(encoding="utf-8")
    blocks = text.split("\n\n")[1:]
    assert len(blocks) > 1000
    for block in blocks:
        assert 'msgstr ""' not in block.splitlines(), block
        assert 'msgstr[0] ""' not in block.splitlines(), block
        chinese, _msgstr, english = block.partition("msgstr")
        names = set(re.findall(r"%\(\w+\)[sd]|(?<!\{)\{\w+\}", chinese))
        assert names <= set(re.findall(r"%\(\w+\)[sd]|(?<!\{)\{\w+\}", english)), block
