"""Registration data in: good rows kept, every bad row named with its reason, nothing lost, nobody else's data told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from enrollment.models import FormerNumber, Household, Registration, Resident
from foundation.encryption import get_keyring
from foundation.scope.context import places_scope
from tests.factories import make_resident
from tests.imports.office import Desk, number_of, registration_row


def test_a_row_becomes_household_resident_and_registration(desk: Desk) -> None:
    """Number and phone are encrypted and indexed; birth date, sex and initials come from number and name."""
    number = number_of(date(1985, 5, 5), 3)
    desk.take(
        "registration", [registration_row(姓名="单　小明", 身份证号=number.lower(), 联系电话="139-0000-1234")]
    )
    with places_scope(desk.cast.places):
        registration = Registration.objects.select_related("resident__household").get()
    resident = registration.resident
    assert (resident.name, resident.initials, resident.is_head) == ("单小明", "sxm", True)
    assert (resident.birth_date, resident.sex) == (date(1985, 5, 5), "male")
    keys = get_keyring()
    assert keys.decrypt(resident.number_encrypted) == number
    assert bytes(resident.number_index) == keys.blind_index(number)
    assert bytes(resident.tail_index) == keys.tail_index(desk.cast.county.code, number[-4:])
    assert (keys.decrypt(resident.phone_encrypted), resident.phone_tail) == ("13900001234", "1234")
    assert (resident.household.number, resident.household.head_name) == ("0001", "张大山")
    assert (registration.unit, registration.plan_id) == (desk.cast.dong, desk.plan.pk)


def test_bad_rows_name_row_and_reason_and_good_rows_stay(desk: Desk) -> None:
    """The five faults of a messy file, each with its row; the rows around them go in."""
    wife = registration_row(姓名="李晓", 身份证号=number_of(sequence=4), 与户主关系="妻")
    rows = [
        registration_row(),
        registration_row(**{"村(居)": "无名村", "身份证号": number_of(sequence=6)}),
        registration_row(
            身份证号=number_of(sequence=7)[:-1] + ("0" if number_of(sequence=7)[-1] != "0" else "1")
        ),
        registration_row(姓名="王五"),
        registration_row(险种="城乡居民基本养老保险", 缴费档次="450"),
        registration_row(身份证号="3.70406E+17"),
        registration_row(姓名="", 身份证号=number_of(sequence=8)),
        registration_row(),
        wife,
    ]
    batch = desk.take("registration", rows)
    assert desk.messages(batch) == [
        (3, "unknown_village", "没有这个村居：甲镇无名村，请核对镇街和村居名称"),
        (4, "bad_check_digit", "身份证号校验位不对，请照身份证核对"),
        (5, "used_number", "这个身份证号和第2行是同一个号码，姓名却不同，请核对是谁的"),
        (6, "unknown_tier", "450不是方案的缴费档次，可选：100、300、500"),
        (
            7,
            "scientific_notation",
            "身份证号被表格软件变成了数字，末几位已经丢失，无法还原；请把该列设为文本后重新填写",
        ),
        (8, "no_name", "没有填姓名"),
        (9, "duplicate", "表内重复，和第2行是同一人同一险种，留一行"),
    ]
    assert (batch.read_count, batch.accepted_count, batch.new_count, batch.rejected_count) == (9, 2, 2, 7)
    with places_scope(desk.cast.places):
        assert set(Resident.objects.values_list("name", flat=True)) == {"张大山", "李晓"}


def test_a_second_resident_under_a_used_number_goes_back(desk: Desk) -> None:
    """The register's holder keeps the number; another person's name under it is refused without telling her name."""
    desk.take("registration", [registration_row()])
    batch = desk.take("registration", [registration_row(姓名="王五", 户编号="0002")])
    assert desk.messages(batch) == [(2, "used_number", "这个身份证号在库里是另一位居民（张*），请核对")]
    with places_scope(desk.cast.places):
        assert Resident.objects.get().name == "张大山"


@pytest.mark.parametrize("name", ["张大珊", "章大山", "张达山"])
def test_a_spelling_of_the_same_name_is_a_warning(desk: Desk, name: str) -> None:
    """The number decides who it is; the register keeps its spelling."""
    desk.take("registration", [registration_row()])
    batch = desk.take("registration", [registration_row(姓名=name, 联系电话="13900009999")])
    assert (batch.changed_count, batch.rejected_count) == (1, 0)
    assert batch.summary["warnings"] == {"name_spelled_otherwise": 1}
    with places_scope(desk.cast.places):
        kept = Resident.objects.get()
    assert (kept.name, kept.phone_tail) == ("张大山", "9999")


def test_two_insurances_of_a_person_are_one_resident(desk: Desk) -> None:
    """Medical and pension rows make two registrations, the pension one with its tier."""
    batch = desk.take(
        "registration",
        [registration_row(险种="居民养老", 缴费档次="300元"), registration_row(险种="居民医保")],
    )
    with places_scope(desk.cast.places):
        assert Resident.objects.count() == 1
        tiers = dict(Registration.objects.values_list("insurance", "tier"))
    assert tiers == {"medical": None, "pension": Decimal("300.00")}
    assert batch.summary["newcomers"] == 1


def test_only_what_changed_changes(desk: Desk) -> None:
    """A new tier and a new phone are changes; an empty cell blanks nothing."""
    first = registration_row(险种="养老", 缴费档次="300")
    desk.take("registration", [first])
    batch = desk.take("registration", [first | {"缴费档次": "500", "联系电话": "", "村小组": ""}])
    assert (batch.new_count, batch.changed_count, batch.unchanged_count) == (0, 1, 0)
    with places_scope(desk.cast.places):
        registration = Registration.objects.select_related("resident__household").get()
    assert registration.tier == Decimal("500.00")
    assert registration.resident.phone_tail == "0001"
    assert registration.resident.household.group_name == "1组"


def test_newborn_without_a_number_is_known_by_name_birth_date_and_household(desk: Desk) -> None:
    """Twice the same newborn is one resident; without a household it goes back."""
    newborn = registration_row(姓名="张小宝", 身份证号="", 与户主关系="子") | {
        "证件类型": "出生医学证明", "出生日期": "2022.9.1", "性别": "男",
    }  # fmt: skip
    for new in (1, 0):
        assert desk.take("registration", [newborn]).new_count == new
    with places_scope(desk.cast.places):
        resident = Resident.objects.get()
    assert (resident.birth_date, resident.id_kind, resident.number_index) == (
        date(2022, 9, 1),
        "birth_certificate",
        None,
    )
    batch = desk.take("registration", [newborn | {"户编号": ""}])
    assert batch.reasons == {"newborn_household": 1}
    assert desk.take(
        "registration", [registration_row(身份证号="") | {"证件类型": "居民身份证"}]
    ).reasons == {"empty": 1}


def test_permits_and_certificates_are_found_again_by_their_number(desk: Desk) -> None:
    """A certificate with a number is a number like any other, though not of an ID card."""
    row = registration_row(姓名="安娜", 身份证号="o370123456") | {
        "证件类型": "出生医学证明",
        "出生日期": "2022-01-02",
    }
    assert desk.take("registration", [row]).new_count == 1
    assert desk.take("registration", [row | {"身份证号": "O370123456"}]).unchanged_count == 1


def test_village_names_of_offices_and_aliases_find_their_unit(desk: Desk) -> None:
    """东村村委会, 东村村民委员会, an alias and the missing township all lead to 东村."""
    village = desk.cast.dong.village
    assert village is not None
    village.aliases = ["大东庄"]
    village.save()
    rows = [
        registration_row(**{"镇街": township, "村(居)": name, "身份证号": number_of(sequence=i)})
        for i, (township, name) in enumerate(
            [("甲镇人民政府", "东村村民委员会"), ("甲镇", "大东庄村"), ("", "东村村委会"), ("甲", "东村")],
            start=1,
        )
    ]
    assert desk.take("registration", rows).new_count == 4
    with places_scope(desk.cast.places):
        assert set(Resident.objects.values_list("unit", flat=True)) == {desk.cast.dong.pk}


def test_a_clerk_learns_nothing_of_other_townships(desk: Desk) -> None:
    """Rows of another township say 不在您的管辖范围, whether the person exists or not; her own rows go in."""
    there = make_resident(desk.cast, desk.cast.nan, number=number_of(sequence=12), name="赵南")
    clerk = desk.cast.user("township_clerk")
    rows = [
        registration_row(),
        registration_row(
            **{"镇街": "乙镇", "村(居)": "南村", "姓名": "赵南", "身份证号": number_of(sequence=12)}
        ),
        registration_row(
            **{"镇街": "乙镇", "村(居)": "南村", "姓名": "无此人", "身份证号": number_of(sequence=14)}
        ),
        registration_row(姓名="赵南", 身份证号=number_of(sequence=12), 户编号="0009"),
    ]
    batch = desk.take("registration", rows, by=clerk)
    assert {message for _row, _code, message in desk.messages(batch)} == {"不在您的管辖范围"}
    assert [row for row, _code, _message in desk.messages(batch)] == [3, 4, 5]
    assert (batch.new_count, batch.rejected_count) == (1, 3)
    with places_scope(desk.cast.places):
        there.refresh_from_db()
        assert there.unit_id == desk.cast.nan.pk
        assert not Registration.objects.filter(resident=there).exists()


def test_a_move_follows_the_file_and_leaves_the_registration_where_it_was(desk: Desk) -> None:
    """The resident moves; the season's registration keeps its place, so that money stays where it was collected."""
    desk.take("registration", [registration_row()])
    batch = desk.take("registration", [registration_row(**{"村(居)": "西村", "户编号": "0100"})])
    assert (batch.new_count, batch.changed_count) == (0, 1)
    with places_scope(desk.cast.places):
        registration = Registration.objects.select_related("resident").get()
        assert registration.unit_id == desk.cast.dong.pk
        assert registration.resident.unit_id == desk.cast.xi.pk
        assert Household.objects.count() == 2


def test_another_year_or_an_insurance_outside_the_plan_goes_back(desk: Desk) -> None:
    """Rows of another coverage year or of neither insurance are not this plan's."""
    rows = [registration_row() | {"缴费年度": "1999"}, registration_row(险种="工伤保险") | {"缴费年度": ""}]
    assert desk.take("registration", rows).reasons == {"other_year": 1, "unknown_insurance": 1}


def test_a_number_of_earlier_times_makes_no_second_resident(desk: Desk) -> None:
    """A file that still has the mistaken number finds the corrected person; with both numbers, one row goes back."""
    keys, old, right = get_keyring(), number_of(sequence=81), number_of(sequence=82)
    person = make_resident(desk.cast, desk.cast.dong, name="张东", number=right)
    with places_scope(desk.cast.places):
        FormerNumber.objects.create(
            township_id=person.township_id, unit_id=person.unit_id, resident=person, id_kind="resident_id",
            number_encrypted=keys.encrypt(old), number_index=keys.blind_index(old), until=date(2022, 1, 1),
        )  # fmt: skip
    row = registration_row(姓名="张东", 身份证号=old)
    batch = desk.take("registration", [row, row | {"身份证号": right}])
    assert desk.messages(batch) == [(2, "duplicate", "和第3行是同一个人（以前的证件号），留一行")]
    assert desk.take("registration", [row]).unchanged_count == 1
    with places_scope(desk.cast.places):
        assert Resident.objects.count() == 1
