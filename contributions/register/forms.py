"""What each act of the register asks for. A form knows who asks and whom it is about; the services check the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.queries import paid_by_registration
from enrollment.models import (
    ClosingReason,
    Household,
    IdKind,
    Insurance,
    LeaveReason,
    Registration,
    Resident,
    Tier,
)
from enrollment.models.register import RegistrationArea, Sex
from enrollment.queries import live_plans
from enrollment.rules import PAPERS
from enrollment.services.life.closing import BY_MERGE_ALONE
from enrollment.words import PAPERS as PAPER_WORDS
from foundation.clock.services import business_date
from foundation.money import format_yuan
from townships.models import CollectingUnit, User

SOURCES: Final = (
    gettext_lazy("村委会"), gettext_lazy("家属"), gettext_lazy("派出所"), gettext_lazy("民政"), gettext_lazy("医院"),
    gettext_lazy("殡仪馆"),
)  # fmt: skip


class DayInput(forms.DateInput):
    """A day, by the browser's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def day_field(label: Any, **options: Any) -> forms.DateField:
    """A day as the browser sends it or as people type it."""
    return forms.DateField(
        label=label, widget=DayInput(), input_formats=["%Y-%m-%d", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d"],
        error_messages={
            "invalid": gettext_lazy("日期不对，例如 2022-11-30。"), "required": gettext_lazy("请填日期。")
        },
        **options,
    )  # fmt: skip


def evidence_field(hint: Any = "") -> forms.CharField:
    """What a change rests on."""
    return forms.CharField(
        label=gettext_lazy("依据"), max_length=200, required=False,
        help_text=hint or gettext_lazy("例如：户口簿、村委会证明"),
    )  # fmt: skip


def grouped_units(units: Iterable[CollectingUnit]) -> list[tuple[str, Any]]:
    """Units as choices under their townships."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for unit in units:
        groups.setdefault(unit.township.name, []).append((unit.pk, unit.name))
    return [("", _("请选择")), *groups.items()]


def own_units(by: User) -> list[CollectingUnit]:
    """Villages' units of the user's places, in order."""
    rows = CollectingUnit.objects.visible_to(by).filter(village__isnull=False).select_related("township")
    return list(rows.order_by("township__position", "position", "code"))


def other_units(by: User) -> list[CollectingUnit]:
    """Villages' units of the county that are not the user's."""
    own = {unit.pk for unit in own_units(by)}
    rows = CollectingUnit.objects.filter(
        township__county_id=by.county_id or 0, village__isnull=False
    ).select_related("township")
    return [unit for unit in rows.order_by("township__position", "position", "code") if unit.pk not in own]


def unit_of(units: Sequence[CollectingUnit], pk: str) -> CollectingUnit | None:
    """The chosen unit among those offered."""
    return next((unit for unit in units if str(unit.pk) == pk), None)


class ActForm(forms.Form):
    """Base: ``by`` asks, about ``person``; ``prepare`` fills in choices. Nothing typed is lost when something is wrong."""

    wide: tuple[str, ...] = ()
    """Fields over the whole width."""
    sections: tuple[tuple[Any, tuple[str, ...]], ...] = ()
    """Titles and the fields below each, for a long form; none for a short one."""
    suggestions: tuple[Any, ...] = ()
    """What is usually typed into the field that names the list ``suggestions``."""

    def __init__(self, by: User, person: Any = None, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self.by, self.person = by, person
        for field in self.fields.values():
            if isinstance(field, forms.DateField):
                field.widget.attrs["max"] = business_date(by.county_code).isoformat()
            if not isinstance(field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
                field.widget.attrs["class"] = "input"
        self.prepare()

    def prepare(self) -> None:
        """Choices and first values that depend on who asks about whom."""

    @property
    def parts(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The fields in their sections."""
        sections = self.sections or (("", tuple(self.fields)),)
        return [(title, [self[name] for name in names if name in self.fields]) for title, names in sections]

    def start(self, name: str, value: Any) -> None:
        """What stands in a field before anybody types."""
        self.initial[name] = value

    def suggest(self, values: Mapping[str, str]) -> None:
        """Begin with what the page that led here already knows; still to be looked at and sent by somebody."""
        for name in self.fields.keys() & values.keys():
            self.start(name, values[name][:200])

    def today(self, *names: str) -> None:
        """Fields that begin with the county's day."""
        for name in names:
            self.start(name, business_date(self.by.county_code))

    def refuse(self, error: ValidationError) -> None:
        """Show what a service said beside the field it is about, or above all."""
        by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for name, said in by_field.items():
            self.add_error(name if name in self.fields else None, said)


class DeathForm(ActForm):
    """登记死亡."""

    died_on = day_field(gettext_lazy("死亡日期"))
    source = forms.CharField(label=gettext_lazy("从哪里知道的"), max_length=60, required=False)
    evidence = evidence_field(gettext_lazy("例如：死亡证明、火化证、村委会证明"))

    def prepare(self) -> None:
        self.suggestions = SOURCES
        self.fields["source"].widget.attrs["list"] = "suggestions"


class EvidenceForm(ActForm):
    """Only why."""

    evidence = evidence_field()


class LeaveForm(ActForm):
    """户口迁出、注销."""

    why = forms.ChoiceField(label=gettext_lazy("原因"), choices=LeaveReason.choices)
    on = day_field(gettext_lazy("日期"))
    evidence = evidence_field(gettext_lazy("例如：户口迁移证、派出所注销证明"))

    def prepare(self) -> None:
        self.today("on")


class ReturnForm(ActForm):
    """恢复户口."""

    on = day_field(gettext_lazy("恢复日期"))
    evidence = evidence_field()

    def prepare(self) -> None:
        self.today("on")


class NameForm(ActForm):
    """更正姓名."""

    name = forms.CharField(label=gettext_lazy("正确的姓名"), max_length=60)
    on = day_field(gettext_lazy("更正日期"))
    evidence = evidence_field(gettext_lazy("例如：身份证、户口簿更名页"))

    def prepare(self) -> None:
        self.start("name", self.person.name)
        self.today("on")


class NumberForm(ActForm):
    """领到身份证号, or a wrong one corrected."""

    number = forms.CharField(label=gettext_lazy("身份证号"), max_length=40, strip=True)
    number_decides = forms.BooleanField(
        label=gettext_lazy("以号码为准：出生日期和性别按号码更正"), required=False
    )
    on = day_field(gettext_lazy("日期"))
    evidence = evidence_field(gettext_lazy("例如：身份证、户口簿"))

    def prepare(self) -> None:
        self.fields["number"].widget.attrs.update(autocomplete="off", inputmode="text")
        self.today("on")


class MoveForm(ActForm):
    """迁移 between places one user keeps."""

    to_unit = forms.ChoiceField(label=gettext_lazy("迁往哪个村居"))
    home = forms.ChoiceField(
        label=gettext_lazy("到哪一户"),
        choices=[("new", gettext_lazy("立新户")), ("join", gettext_lazy("并入已有的户"))],
    )
    household_number = forms.CharField(
        label=gettext_lazy("户编号"), max_length=40, required=False,
        help_text=gettext_lazy("立新户可以不填，自动编号；并入已有的户必须填"),
    )  # fmt: skip
    group_name = forms.CharField(label=gettext_lazy("村组"), max_length=20, required=False)
    house_number = forms.CharField(label=gettext_lazy("门牌号"), max_length=20, required=False)
    people = forms.MultipleChoiceField(
        label=gettext_lazy("一起迁的家里人"), required=False, widget=forms.CheckboxSelectMultiple()
    )
    with_registrations = forms.BooleanField(
        label=gettext_lazy("没缴过钱的参保登记一并迁过去"), required=False,
        help_text=gettext_lazy("缴过钱的登记、应缴和缴费都留在原来的村，不改动"),
    )  # fmt: skip
    on = day_field(gettext_lazy("迁移日期"))
    evidence = evidence_field(gettext_lazy("例如：户口迁移证、购房合同、村委会证明"))
    wide = ("people", "with_registrations", "evidence")

    def prepare(self) -> None:
        self.units = own_units(self.by)
        self.fields["to_unit"].choices = grouped_units(self.units)  # type: ignore[attr-defined]
        self.fields["people"].choices = family_of(self.by, self.person)  # type: ignore[attr-defined]
        if not self.fields["people"].choices:  # type: ignore[attr-defined]
            del self.fields["people"]
        self.today("on")


class TransferForm(ActForm):
    """转出 to another township, which accepts."""

    to_unit = forms.ChoiceField(label=gettext_lazy("迁往哪个村居"))
    people = forms.MultipleChoiceField(
        label=gettext_lazy("一起迁的家里人"), required=False, widget=forms.CheckboxSelectMultiple()
    )
    with_registrations = forms.BooleanField(
        label=gettext_lazy("没缴过钱的参保登记一并转过去"), required=False,
        help_text=gettext_lazy("缴过钱的登记、应缴和缴费都留在本镇街，不改动"),
    )  # fmt: skip
    on = day_field(gettext_lazy("迁移日期"))
    evidence = evidence_field(gettext_lazy("例如：户口迁移证、村委会证明"))
    wide = ("people", "with_registrations", "evidence")

    def prepare(self) -> None:
        self.units = other_units(self.by)
        self.fields["to_unit"].choices = grouped_units(self.units)  # type: ignore[attr-defined]
        self.fields["people"].choices = family_of(self.by, self.person)  # type: ignore[attr-defined]
        if not self.fields["people"].choices:  # type: ignore[attr-defined]
            del self.fields["people"]
        self.today("on")


def family_of(by: User, person: Resident) -> list[tuple[str, str]]:
    """The others who live in a person's household, as choices."""
    if person.household_id is None:
        return []
    rows = Resident.objects.held_by(by).filter(
        household=person.household_id, merged_into=None, death_date=None, left_on=None
    )
    return [(str(row.pk), row.name) for row in rows.exclude(pk=person.pk).order_by("-is_head", "pk")]


def season_choices(by: User, person: Resident, *, closed: bool | None = None) -> list[tuple[str, str]]:
    """A person's registrations in the user's places as choices: insurance, year, place, and what was paid."""
    rows = Registration.objects.held_by(by).filter(resident=person).select_related("unit", "plan")
    if closed is not None:
        rows = rows.exclude(closing_reason="") if closed else rows.filter(closing_reason="")
        rows = rows.exclude(closing_reason=BY_MERGE_ALONE)
    found = [row for row in rows.order_by("-coverage_year", "insurance") if row.plan.takes_charges]
    paid = paid_by_registration([row.pk for row in found])
    return [
        (
            str(row.pk),
            _("%(insurance)s，%(year)s 年度，%(unit)s%(paid)s%(why)s")
            % {
                "insurance": Insurance(row.insurance).label, "year": row.coverage_year, "unit": row.unit.name,
                "paid": _("，已缴 %(n)s 元") % {"n": format_yuan(paid[row.pk])} if paid.get(row.pk) else "",
                "why": _("，已销号：%(why)s") % {"why": row.closing_reason} if row.closing_reason else "",
            },
        )
        for row in found
    ]  # fmt: skip


class CloseForm(ActForm):
    """销号."""

    registration = forms.ChoiceField(label=gettext_lazy("哪一条参保登记"))
    reason = forms.ChoiceField(
        label=gettext_lazy("原因"),
        choices=[("", gettext_lazy("请选择")), *(c for c in ClosingReason.choices if c[0] != BY_MERGE_ALONE)],
    )
    on = day_field(gettext_lazy("日期"))
    evidence = evidence_field(gettext_lazy("例如：本人签字的不参保声明、入伍通知书"))
    wide = ("registration",)

    def prepare(self) -> None:
        self.fields["registration"].choices = season_choices(self.by, self.person, closed=False)  # type: ignore[attr-defined]
        self.today("on")


class ReopenForm(ActForm):
    """撤销销号."""

    registration = forms.ChoiceField(label=gettext_lazy("哪一条参保登记"))
    evidence = evidence_field(gettext_lazy("例如：本人又愿意参保"))
    wide = ("registration",)

    def prepare(self) -> None:
        self.fields["registration"].choices = season_choices(self.by, self.person, closed=True)  # type: ignore[attr-defined]


def tier_choices(by: User) -> list[tuple[str, str]]:
    """Tiers of the county's plan in force, as choices in yuan."""
    plan = next((p for p in live_plans(by.county_id or 0) if Insurance.PENSION in p.insurances), None)
    rows = Tier.objects.filter(plan=plan).order_by("amount") if plan is not None else Tier.objects.none()
    said = [
        (
            f"{tier.amount:.2f}",
            _("%(n)s 元") % {"n": f"{tier.amount:.0f}"}
            + (f"（{tier.restricted_to}）" if tier.restricted_to else ""),
        )
        for tier in rows
    ]
    return [("", _("请选择")), *said]


class TierForm(ActForm):
    """改养老档次."""

    registration = forms.ChoiceField(label=gettext_lazy("哪一条参保登记"))
    tier = forms.ChoiceField(label=gettext_lazy("改成哪一档"))
    evidence = evidence_field(gettext_lazy("例如：本人申请"))

    def prepare(self) -> None:
        choices = [
            c
            for c in season_choices(self.by, self.person, closed=False)
            if c[1].startswith(str(Insurance.PENSION.label))
        ]
        self.fields["registration"].choices = choices  # type: ignore[attr-defined]
        self.fields["tier"].choices = tier_choices(self.by)  # type: ignore[attr-defined]


class _Registering(ActForm):
    """Shared by whoever is registered: under which plan, for what, on which papers."""

    plan = forms.ChoiceField(label=gettext_lazy("方案"))
    insurances = forms.MultipleChoiceField(
        label=gettext_lazy("参加哪些保险"), choices=Insurance.choices, required=False,
        widget=forms.CheckboxSelectMultiple(),
    )  # fmt: skip
    tier = forms.ChoiceField(
        label=gettext_lazy("养老档次"), required=False, help_text=gettext_lazy("参加养老才选")
    )
    papers = forms.MultipleChoiceField(
        label=gettext_lazy("看过的材料"), choices=[(code, PAPER_WORDS[code]) for code in PAPERS], required=False,
        widget=forms.CheckboxSelectMultiple(), help_text=gettext_lazy("看过原件再勾选；材料不齐，先不要收钱"),
    )  # fmt: skip

    def prepare(self) -> None:
        self.plans = list(live_plans(self.by.county_id or 0))
        self.fields["plan"].choices = [(plan.code, plan.name) for plan in self.plans]  # type: ignore[attr-defined]
        self.fields["tier"].choices = tier_choices(self.by)  # type: ignore[attr-defined]


class EnrolForm(_Registering):
    """参保登记 of somebody who is in the register."""

    wide = ("plan", "insurances", "papers")


class NewcomerForm(_Registering):
    """新参保登记: a person who is not in the register yet."""

    unit = forms.ChoiceField(label=gettext_lazy("村居"))
    home = forms.ChoiceField(
        label=gettext_lazy("到哪一户"),
        choices=[("new", gettext_lazy("立新户，本人是户主")), ("join", gettext_lazy("加入已有的户"))],
    )
    household_number = forms.CharField(
        label=gettext_lazy("户编号"), max_length=40, required=False,
        help_text=gettext_lazy("立新户可以不填，自动编号；加入已有的户必须填"),
    )  # fmt: skip
    name = forms.CharField(label=gettext_lazy("姓名"), max_length=60)
    id_kind = forms.ChoiceField(label=gettext_lazy("证件类型"), choices=IdKind.choices)
    number = forms.CharField(
        label=gettext_lazy("证件号码"), max_length=40, required=False,
        help_text=gettext_lazy("新生儿还没有号码的可以先不填"),
    )  # fmt: skip
    birth_date = day_field(
        gettext_lazy("出生日期"), required=False, help_text=gettext_lazy("有身份证号的不用填")
    )
    sex = forms.ChoiceField(
        label=gettext_lazy("性别"), choices=[("", gettext_lazy("按身份证号")), *Sex.choices], required=False
    )
    relation = forms.CharField(label=gettext_lazy("与户主关系"), max_length=20, required=False)
    phone = forms.CharField(label=gettext_lazy("电话"), max_length=20, required=False)
    address = forms.CharField(label=gettext_lazy("住址"), max_length=120, required=False)
    registration_area = forms.ChoiceField(
        label=gettext_lazy("户籍"), choices=RegistrationArea.choices, initial=RegistrationArea.LOCAL
    )
    residence_permit = forms.ChoiceField(
        label=gettext_lazy("居住证"), required=False, initial="false",
        choices=[("false", gettext_lazy("无")), ("true", gettext_lazy("本人持证")), ("parent", gettext_lazy("随父母"))],
    )  # fmt: skip
    on = day_field(gettext_lazy("登记日期"))
    sections = (
        (
            gettext_lazy("本人"),
            (
                "name", "id_kind", "number", "birth_date", "sex", "phone", "registration_area", "residence_permit",
            ),
        ),
        (gettext_lazy("住处"), ("unit", "home", "household_number", "relation", "address")),
        (gettext_lazy("参保"), ("plan", "insurances", "tier", "on")),
        (gettext_lazy("材料"), ("papers",)),
    )  # fmt: skip
    wide = ("address", "plan", "insurances", "papers")

    def prepare(self) -> None:
        super().prepare()
        self.units = own_units(self.by)
        self.fields["unit"].choices = grouped_units(self.units)  # type: ignore[attr-defined]
        for name in ("number", "phone"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        self.fields["phone"].widget.attrs["inputmode"] = "tel"
        self.today("on")
        home = self.person
        if isinstance(home, Household):
            self.start("unit", home.unit_id)
            self.start("home", "join")
            self.start("household_number", home.number)


class SplitForm(ActForm):
    """分户."""

    leaving = forms.MultipleChoiceField(
        label=gettext_lazy("哪些人分出去"), widget=forms.CheckboxSelectMultiple(),
        error_messages={"required": gettext_lazy("请勾选分出去的人。")},
    )  # fmt: skip
    head = forms.ChoiceField(label=gettext_lazy("新户的户主"))
    number = forms.CharField(
        label=gettext_lazy("新户编号"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("不填就自动编号"),
    )
    house_number = forms.CharField(
        label=gettext_lazy("新户门牌号"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("不填就和原来一样"),
    )
    on = day_field(gettext_lazy("日期"))
    evidence = evidence_field(gettext_lazy("例如：分户申请、户口簿"))
    wide = ("leaving",)

    def prepare(self) -> None:
        people = household_choices(self.by, self.person)
        self.fields["leaving"].choices = people  # type: ignore[attr-defined]
        self.fields["head"].choices = people  # type: ignore[attr-defined]
        self.today("on")


class HeadForm(ActForm):
    """变更户主."""

    head = forms.ChoiceField(label=gettext_lazy("新户主"))
    on = day_field(gettext_lazy("日期"))
    evidence = evidence_field(gettext_lazy("例如：户口簿户主页"))

    def prepare(self) -> None:
        self.fields["head"].choices = household_choices(self.by, self.person)  # type: ignore[attr-defined]
        self.today("on")


class JoinForm(ActForm):
    """并户: everybody of this household into another of the unit."""

    number = forms.CharField(label=gettext_lazy("并入哪一户（户编号）"), max_length=40)
    on = day_field(gettext_lazy("日期"))
    evidence = evidence_field(gettext_lazy("例如：并户申请、户口簿"))

    def prepare(self) -> None:
        self.today("on")


def household_choices(by: User, household: Household) -> list[tuple[str, str]]:
    """Living members as choices."""
    rows = Resident.objects.held_by(by).filter(household=household, merged_into=None, left_on=None)
    return [(str(row.pk), row.name) for row in rows.order_by("-is_head", "birth_date", "pk")]


class AcceptForm(ActForm):
    """接收: where those who come will live."""

    home = forms.ChoiceField(
        label=gettext_lazy("到哪一户"),
        choices=[("new", gettext_lazy("立新户")), ("join", gettext_lazy("加入已有的户"))],
    )
    household_number = forms.CharField(
        label=gettext_lazy("户编号"), max_length=40, required=False,
        help_text=gettext_lazy("立新户可以不填，自动编号；加入已有的户必须填"),
    )  # fmt: skip
    group_name = forms.CharField(label=gettext_lazy("村组"), max_length=20, required=False)
    house_number = forms.CharField(label=gettext_lazy("门牌号"), max_length=20, required=False)


class VillageMergeForm(ActForm):
    """撤并村居."""

    village = forms.ChoiceField(label=gettext_lazy("撤销哪个村"))
    into = forms.ChoiceField(label=gettext_lazy("并入哪个村"))
    on = day_field(gettext_lazy("生效日期"))
    evidence = evidence_field(gettext_lazy("例如：区划调整批复文号"))

    def prepare(self) -> None:
        self.today("on")


class UnitChangeForm(ActForm):
    """变更代收单位."""

    unit = forms.ChoiceField(label=gettext_lazy("现在由哪个单位代收"))
    to_unit = forms.ChoiceField(label=gettext_lazy("改由哪个单位代收"))
    households = forms.CharField(
        label=gettext_lazy("只改这些户（户编号，用空格或逗号隔开）"), required=False, max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}), help_text=gettext_lazy("不填就是全部"),
    )  # fmt: skip
    on = day_field(gettext_lazy("生效日期"))
    evidence = evidence_field(gettext_lazy("例如：区级通知"))
    wide = ("households",)

    def prepare(self) -> None:
        choices = grouped_units(own_units(self.by))
        self.fields["unit"].choices = choices  # type: ignore[attr-defined]
        self.fields["to_unit"].choices = choices  # type: ignore[attr-defined]
        self.today("on")
