"""Two records beside each other: what is the same, what differs, what stands on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db.models import Sum
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.models import OWN_PARTS, PaymentCase, PaymentLine
from enrollment.models import IdKind, Insurance, Membership, Registration, Resident, ResidentEvent
from enrollment.services.life.doubles import Pair
from foundation.encryption import get_keyring
from foundation.masking import Audience, number_tail
from foundation.money import format_yuan
from townships.models import User

WHY: Final = {
    1: gettext_lazy("同村、同名、同一天出生"),
    2: gettext_lazy("同一户、同一天出生，一份是出生证，一份是身份证"),
    3: gettext_lazy("同名、同一天出生、号码后四位相同"),
}


def _number(person: Resident) -> str:
    return get_keyring().decrypt(person.number_encrypted) if person.number_encrypted else ""


def pair_rows(user: User, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Pairs as the list shows them. Two queries."""
    keys = {key for pair in pairs for key in (pair.first, pair.second)}
    people = Resident.objects.visible_to(user).select_related("unit", "household").in_bulk(keys)
    paid = _paid(keys)
    return [
        {
            "sides": [
                {
                    "person": person,
                    "tail": number_tail(_number(person), Audience.OFFICE),
                    "paid": paid.get(person.pk, Decimal("0.00")),
                }
                for person in (people[pair.first], people[pair.second])
            ],
            "first": pair.first,
            "second": pair.second,
            "why": WHY[pair.reason],
        }
        for pair in pairs
        if pair.first in people and pair.second in people
    ]


def _paid(residents: Any) -> dict[int, Decimal]:
    lines = PaymentLine.objects.filter(registration__resident__in=residents, part__in=OWN_PARTS)
    return dict(
        lines.values("registration__resident")
        .annotate(n=Sum("amount"))
        .values_list("registration__resident", "n")
    )


@dataclass(frozen=True)
class Row:
    """One fact of both: its label, what each says, whether they differ."""

    label: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether somebody should look."""
        return self.first != self.second


def side_by_side(user: User, one: Resident, other: Resident) -> dict[str, Any]:
    """Everything the decision needs about two people of the user's places."""
    sides = [_facts(user, one), _facts(user, other)]
    rows = [Row(label, sides[0][label], sides[1][label]) for label in sides[0]]
    numbers = _number(one), _number(other)
    paid = _paid([one.pk, other.pk])
    return {
        "one": one,
        "other": other,
        "rows": rows,
        "differing": sum(row.differs for row in rows),
        "numbers": _about_numbers(*numbers),
        "keep": _keep(one, other, paid),
        "twice": _registered_twice(one, other),
        "paid": (paid.get(one.pk, Decimal("0.00")), paid.get(other.pk, Decimal("0.00"))),
    }


def _keep(one: Resident, other: Resident, paid: dict[int, Decimal]) -> int:
    """Which record is offered to be kept: the one with a resident number, then the one with money, then the older."""

    def worth(person: Resident) -> tuple[bool, Decimal, int]:
        named = person.id_kind == IdKind.RESIDENT_ID and person.number_index is not None
        return named, paid.get(person.pk, Decimal("0.00")), -person.pk

    return max((one, other), key=worth).pk


def _about_numbers(first: str, second: str) -> str:
    if not first or not second:
        return _("有一份没有号码。")
    if len(first) != len(second):
        return _("两个号码不是一种证件。")
    wrong = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    if len(first) == 18 and wrong and all(i < 6 for i in wrong):
        return _("两个号码只有前 6 位（地区）不同。")
    return _("两个号码有 %(n)s 位不同。") % {"n": len(wrong)}


def _registered_twice(one: Resident, other: Resident) -> list[str]:
    """Insurances and years both are registered for."""
    have = [
        set(Registration.objects.filter(resident=person).values_list("insurance", "coverage_year"))
        for person in (one, other)
    ]
    return [f"{Insurance(i).label}{year}" for i, year in sorted(have[0] & have[1])]


def _facts(user: User, person: Resident) -> dict[str, str]:
    home = person.household
    registrations = (
        Registration.objects.visible_to(user)
        .filter(resident=person)
        .select_related("unit")
        .order_by("-coverage_year", "insurance")
    )
    money = dict(
        PaymentLine.objects.visible_to(user)
        .filter(registration__in=registrations, part__in=OWN_PARTS)
        .values("registration")
        .annotate(n=Sum("amount"))
        .values_list("registration", "n")
    )
    groups = Membership.objects.visible_to(user).filter(resident=person).select_related("category")
    cases = PaymentCase.objects.visible_to(user).filter(registration__resident=person, state="open").count()
    return {
        _("姓名"): person.name,
        _("证件"): str(IdKind(person.id_kind).label),
        _("号码尾号"): number_tail(_number(person), Audience.OFFICE) or "—",
        _("出生日期"): date_format(person.birth_date, "Y-m-d") if person.birth_date else "—",
        _("性别"): str(person.get_sex_display()) or "—",
        _("村居"): f"{person.unit.township.name}{person.unit.name}",
        _("户编号、户主"): f"{home.number} {home.head_name}" if home is not None else "—",
        _("与户主关系"): person.relation or "—",
        _("电话尾号"): person.phone_tail[-2:] or "—",
        _("住址"): person.address or "—",
        _("特殊群体"): "、".join(group.category.name for group in groups) or "—",
        _("参保登记"): "；".join(_registered(row, money) for row in registrations) or "—",
        _("待处理事项"): str(cases) if cases else "—",
        _("经过"): _("%(n)s 条")
        % {"n": ResidentEvent.objects.visible_to(user).filter(resident=person).count()},
    }


def _registered(row: Registration, money: dict[int, Decimal]) -> str:
    text = f"{Insurance(row.insurance).label}{row.coverage_year}"
    if row.tier is not None:
        text += _("（%(n)s 元档）") % {"n": f"{row.tier:.0f}"}
    if row.closing_reason:
        text += f"，{row.closing_reason}"
    if money.get(row.pk):
        text += _("，已缴 %(n)s 元") % {"n": format_yuan(money[row.pk])}
    return text
