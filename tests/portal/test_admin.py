"""A clerk of one township gets nothing of another by any page of the office, with both walls and with the second alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.core.management import call_command
from django.db.models import Model, QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contributions.models import Payment
from contributions.services.payments import record_payment
from enrollment.models import Membership, Resident
from foundation.audit.models import AuditEvent
from foundation.encryption import get_keyring
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.scope.context import scope
from foundation.scope.models import ScopedQuerySet
from foundation.scope.walls import guarded_models
from tests.portal.conftest import FOREIGN, GUARDED, OWN, Office
from townships.models import CollectingUnit, Role, User, Village
from townships.rules import OFFICE_ROLES, permits

CLERK = "township_clerk"
COUNTY_OFFICES = sorted(OFFICE_ROLES - {CLERK})
REGISTERED: dict[type[Model], ModelAdmin[Any]] = admin.site._registry


def url(model: type[Model], page: str, *args: Any) -> str:
    """An admin page of a model."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def text(response: Any) -> str:
    """The body as text, whatever kind of response it is."""
    return response.content.decode() if not response.streaming else ""


@pytest.fixture
def clerk(office: Office) -> Client:
    """The clerk of 甲镇 at her desk."""
    return office.client(CLERK)


@pytest.fixture(params=["both walls", "second wall alone"])
def walls(request: pytest.FixtureRequest) -> Iterator[str]:
    """Once as it is, once with ``visible_to`` letting everything through: row-level security alone must hold."""
    if request.param == "both walls":
        yield request.param
        return

    def everything(queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.all()

    with patch.object(ScopedQuerySet, "visible_to", everything):
        yield request.param


def test_every_guarded_model_of_the_office_is_in_this_test() -> None:
    """A list added later cannot be left out of the tests below."""
    assert {m for m in REGISTERED if m in guarded_models()} == set(GUARDED)


@pytest.mark.usefixtures("walls")
def test_foreign_row_answers_like_a_row_that_never_was(office: Office, clerk: Client) -> None:
    """Change, history and delete of another township's row: 404, and nothing of it in the answer."""
    for model in GUARDED:
        assert clerk.get(url(model, "change", office.own[model].pk)).status_code == 200, model
        for page in ("change", "history", "delete"):
            found = clerk.get(url(model, page, office.foreign[model].pk))
            assert found.status_code in (403, 404), (model, page)
            assert FOREIGN not in text(found)
            posted = clerk.post(url(model, page, office.foreign[model].pk), {"act": "correct", "post": "yes"})
            assert posted.status_code in (403, 404), (model, page)


@pytest.mark.usefixtures("walls")
def test_list_search_and_filter_show_own_rows_only(office: Office, clerk: Client) -> None:
    """The list, a search for a foreign name, and the filters set to the other township."""
    yi, nan = office.season.cast.yi.code, office.season.cast.nan.code
    for model in GUARDED:
        page = url(model, "changelist")
        foreign_link = url(model, "change", office.foreign[model].pk)
        listed = text(clerk.get(page))
        assert url(model, "change", office.own[model].pk) in listed, model
        assert "南村" not in listed, "a filter offers the other township's units"
        for query in ("", f"?q={FOREIGN}", f"?township={yi}&unit={nan}"):
            shown = text(clerk.get(page + query))
            assert foreign_link not in shown, (model, query)
            echoed = shown.replace(f'value="{FOREIGN}"', "").replace(f"q={FOREIGN}", "")
            assert FOREIGN not in echoed, (model, query)


@pytest.mark.usefixtures("walls")
def test_address_cannot_ask_across_relations(office: Office, clerk: Client) -> None:
    """Only the filters on the page may be asked for; others are refused, so that no answer can be probed."""
    for lookup in ("household__head_name__startswith", "unit__township__code", "number_index", "id__gt"):
        found = clerk.get(url(Resident, "changelist"), {lookup: FOREIGN})
        assert found.status_code in (302, 400), lookup


@pytest.mark.usefixtures("walls")
def test_choices_are_of_the_own_places(office: Office, clerk: Client) -> None:
    """Autocomplete offers only what the person may see."""
    pairs = [
        (Village, "township"),
        (CollectingUnit, "township"),
        (CollectingUnit, "village"),
        (User, "units"),
    ]
    for model, name in pairs:
        query = {
            "app_label": model._meta.app_label,
            "model_name": str(model._meta.model_name),
            "field_name": name,
            "term": "",
        }
        shown = clerk.get(reverse("admin:autocomplete"), query)
        assert shown.status_code in (200, 403)
        assert "乙镇" not in text(shown)
        assert "南村" not in text(shown)


@pytest.mark.usefixtures("walls")
def test_finding_a_person_stays_inside(office: Office, clerk: Client) -> None:
    """By name, by full number, by last four: the other township's people are not there."""
    stranger = office.foreign[Resident]
    number = get_keyring().decrypt(stranger.number_encrypted)
    for asked in (FOREIGN, number, number[-4:]):
        found = clerk.post(reverse("admin:find"), {"q": asked}, follow=True)
        assert FOREIGN not in text(found).replace(f"“{FOREIGN}”", "")
        assert url(Resident, "change", stranger.pk) not in text(found)


def test_finding_opens_the_person_the_village_or_says_there_is_none(office: Office, clerk: Client) -> None:
    """One hit opens the page, a village its list; a number never stands in an address nor comes back whole."""
    person = office.own[Resident]
    number = get_keyring().decrypt(person.number_encrypted)
    for asked in (OWN, number):
        assert clerk.post(reverse("admin:find"), {"q": asked})["Location"] == url(
            Resident, "change", person.pk
        )
    assert clerk.post(reverse("admin:find"), {"q": "东村"})["Location"].endswith("unit=370406901201")
    foreign = get_keyring().decrypt(office.foreign[Resident].number_encrypted)
    answer = text(clerk.post(reverse("admin:find"), {"q": foreign}, follow=True))
    assert "没有找到" in answer
    assert foreign not in answer


@pytest.mark.usefixtures("walls")
def test_home_and_theme_search_tell_nothing_foreign(office: Office, clerk: Client) -> None:
    """The desk's first page and the theme's own search."""
    for page in (reverse("admin:index"), f"{reverse('admin:search')}?s={FOREIGN}&extended=1"):
        assert FOREIGN not in text(clerk.get(page))
    assert OWN in text(clerk.get(url(Resident, "changelist")))


@pytest.mark.parametrize("role", sorted(Role.values))
def test_each_role_reaches_what_the_table_gives_it(office: Office, role: str) -> None:
    """List and change page of every registered model, for every role: open exactly where the table says."""
    client = office.client(role)
    for model in REGISTERED:
        allowed = role in OFFICE_ROLES and permits(role, model._meta.label_lower)
        status = client.get(url(model, "changelist")).status_code
        assert (status == 200) == allowed, (model.__name__, status)
        if not allowed:
            assert status in (302, 403), (model.__name__, status)
        if model in GUARDED and not allowed:
            assert client.get(url(model, "change", office.own[model].pk)).status_code in (302, 403, 404)
        if not permits(role, model._meta.label_lower, "change"):
            assert client.get(url(model, "add")).status_code in (302, 403)


@pytest.mark.covers("E102")
def test_auditor_reads_and_changes_nothing(office: Office) -> None:
    """The auditor sees both townships, and every act is refused."""
    client = office.client("auditor")
    shown = text(client.get(url(Resident, "changelist")))
    assert OWN in shown
    assert FOREIGN in shown
    assert "payment.record" in text(client.get(url(AuditEvent, "changelist")))
    assert client.get(url(Payment, "change", office.foreign[Payment].pk)).status_code == 200
    page = url(Resident, "change", office.own[Resident].pk)
    assert client.post(page, {"act": "correct", "nickname": "改"}).status_code == 403
    assert client.post(page, {"act": "assess"}).status_code == 403
    membership = office.own[Membership]
    client.post(url(Membership, "change", membership.pk), {"valid_to": "2021-01-01", "grade": "3"})
    with scope(office.season.cast.user("auditor")):
        membership.refresh_from_db()
    assert membership.grade == 1


def test_correction_goes_through_the_service_and_leaves_a_trail(office: Office, clerk: Client) -> None:
    """A new phone is sealed, its tail is found, and the page tells what happened."""
    person = office.own[Resident]
    page = url(Resident, "change", person.pk)
    bad = clerk.post(page, {"act": "correct", "phone": "12", "nickname": "木匠", "address": ""}, follow=True)
    assert "电话号码不对" in text(bad)
    good = clerk.post(
        page, {"act": "correct", "phone": "13800001234", "nickname": "木匠", "address": ""}, follow=True
    )
    assert "木匠" in text(good)
    assert "13800001234" not in text(good)
    assert "更正联系方式，电话尾号 21 → 34" in text(good)
    with scope(office.season.cast.user(CLERK)):
        person.refresh_from_db()
        assert (person.phone_tail, get_keyring().decrypt(person.phone_encrypted)) == ("1234", "13800001234")
    event = AuditEvent.objects.get(action="resident.contact")
    assert event.actor == office.season.cast.user(CLERK)
    assert "1380000" not in str(event.detail)


def test_full_number_needs_a_reason_and_every_look_is_kept(office: Office, clerk: Client) -> None:
    """Two digits on the page; all of them for one village, two hours, one reason; each look in the trail."""
    person = office.own[Resident]
    number = get_keyring().decrypt(person.number_encrypted)
    page = url(Resident, "change", person.pk)
    closed = text(clerk.get(page))
    assert number not in closed
    assert f"<strong>{number[-2:]}</strong>" in closed
    assert number[-4:] not in closed
    assert "请写明原因" in text(clerk.post(page, {"act": "open-numbers", "reason": "看"}, follow=True))
    assert number in text(clerk.post(page, {"act": "open-numbers", "reason": "与身份证核对"}, follow=True))
    assert number in text(clerk.get(page))
    assert AuditEvent.objects.filter(action="number.open", detail__reason="与身份证核对").count() == 1
    assert AuditEvent.objects.filter(action="number.read", target=str(person.pk)).count() == 2
    assert number not in text(clerk.get(url(Resident, "changelist")))


def test_list_of_residents_asks_a_fixed_number_of_questions(
    office: Office, clerk: Client, django_assert_max_num_queries: Any
) -> None:
    """However many residents stand on the page, the queries are the same."""
    page = url(Resident, "changelist")
    clerk.get(page)
    with django_assert_max_num_queries(40) as few:
        clerk.get(page)
    with scope(office.season.cast.user("tax_bureau")):
        for _n in range(12):
            office.season.charge(office.season.cast.dong)
    with django_assert_max_num_queries(40) as many:
        clerk.get(page)
    assert len(few) == len(many)


def test_reference_data_goes_out_and_in_by_sheet_for_the_administrator_alone(
    office: Office, clerk: Client
) -> None:
    """The administrator's export holds villages without accounts; an import is saved by the service, with its trail."""
    export = url(CollectingUnit, "export")
    assert clerk.get(export).status_code == 403
    boss = office.client("admin")
    assert boss.get(export).status_code == 200
    columns = {
        f"unitresource_{name}": "on" for name in ("code", "name", "kind", "township", "village", "position")
    }
    sheet = boss.post(export, {"format": "0", "resource": "", **columns})
    assert "东村" in sheet.content.decode()
    assert "account" not in sheet.content.decode()
    assert AuditEvent.objects.filter(action="reference.export").exists()


def test_payment_is_reversed_by_the_service_alone(office: Office, clerk: Client) -> None:
    """Confirmed money is not reversed; money not confirmed is, by a row of its own, with its reason."""
    season = office.season
    confirmed = url(Payment, "change", office.own[Payment].pk)
    assert "冲销这一笔" not in text(clerk.get(confirmed))
    with scope(season.cast.user("tax_bureau")):
        charge = season.charge(season.cast.dong)
        payment = record_payment(by=season.cast.user(CLERK), order=season.order(charge)).payment
    page = url(Payment, "change", payment.pk)
    shown = text(clerk.get(page))
    key = shown.split('name="client_uuid" value="')[1].split('"')[0]
    for _again in range(2):
        answer = clerk.post(page, {"client_uuid": key, "reason": "录错了人"}, follow=True)
        assert "已冲销" in text(answer)
    with scope(season.cast.user(CLERK)):
        assert Payment.objects.filter(reverses=payment).count() == 1
    assert clerk.post(url(Payment, "add"), {}).status_code == 403


def test_checks_of_the_framework_pass() -> None:
    """Lists, filters and forms of the office name fields that exist."""
    call_command("check")


@pytest.mark.covers("E129")
def test_page_of_a_resident_answers_what_was_paid(office: Office, clerk: Client) -> None:
    """Who owes what, what was paid when and by whom, and whether the tax side confirmed it."""
    shown = text(clerk.get(url(Resident, "change", office.own[Resident].pk)))
    payment = office.own[Payment]
    for part in (
        "医疗，2023 年度",
        "350.00",
        "610.00",
        "960.00",
        "税务已确认",
        payment.slip_number,
        "缴 350.00 元",
    ):
        assert part in shown, part


def test_what_waits_is_listed_oldest_first_with_its_button(office: Office, clerk: Client) -> None:
    """An open case of the own township waits on the desk; the other township's does not."""
    shown = text(clerk.get(reverse("admin:index")))
    assert "甲镇，今天要做的" in shown
    assert "多收" in shown
    assert "1.00 元" in shown
    assert "2.00 元" not in shown


def test_list_opened_from_the_desk_is_filtered(office: Office, clerk: Client) -> None:
    """The addresses behind the desk's buttons are ones the lists accept."""
    for page in (
        f"{url(Payment, 'changelist')}?paid_on_to=2022-11-26",
        f"{url(office.own[Payment].cases.model, 'changelist')}?state__exact=open&kind__exact=excess",
    ):
        assert clerk.get(page).status_code == 200, page


def test_department_sees_its_own_files_alone(office: Office) -> None:
    """Another office's file, and the rows that went back from it, are not a department's business."""
    users = office.season.cast.users
    for by in ("tax_bureau", "department"):
        batch = ImportBatch.objects.create(
            kind="category", county_code="370406000000", file_name=f"{by}.xlsx", sha256="0" * 64, state="applied",
            uploaded_by=users[by], applied_at=timezone.now(),
        )  # fmt: skip
        ReturnedRow.objects.create(batch=batch, source_row=3, code="x", message=f"退回 {by}")
    department, tax = office.client("department"), office.client("tax_bureau")
    for page in (url(ImportBatch, "changelist"), url(ReturnedRow, "changelist")):
        shown = text(department.get(page))
        assert "department.xlsx" in shown, page
        assert "tax_bureau.xlsx" not in shown, page
        assert "department.xlsx" in text(tax.get(page)), page
