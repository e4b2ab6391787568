"""A plan's worked examples as people read them, and whether the evaluator gives what they say."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions import words as office
from contributions.plans import words
from enrollment.models import CollectionPlan, Insurance
from subsidies.queries import Checked, check_examples, examples_of, rule_book

_KEPT: Final = 32
_checked: OrderedDict[tuple[str, str], Checked] = OrderedDict()


@dataclass(frozen=True)
class Proof:
    """One example: the person, what is asked, what is expected, and where the answer differs."""

    id: str
    insurance: str
    person: str
    asked: str
    expected: str
    certainty: str
    certainty_word: str
    settings: str
    reading: str
    differences: list[tuple[str, str, str]]

    @property
    def passed(self) -> bool:
        """Whether the evaluator answers as expected."""
        return not self.differences


@dataclass(frozen=True)
class Proofs:
    """All examples of a plan; those that fail stand first."""

    proofs: list[Proof]

    @property
    def passed(self) -> int:
        """How many hold."""
        return sum(1 for proof in self.proofs if proof.passed)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.proofs)

    @property
    def failed(self) -> int:
        """How many do not."""
        return self.total - self.passed

    @property
    def ok(self) -> bool:
        """Whether all of them hold."""
        return self.passed == self.total


def prove(plan: CollectionPlan) -> Proofs:
    """Run the plan's examples, once for each text of plan and examples. Raises PlanError where there are none."""
    examples = examples_of(plan)
    key = (plan.source_sha256, hashlib.sha256(repr(examples).encode()).hexdigest())
    checked = _checked.get(key)
    if checked is None:
        checked = check_examples(rule_book(plan), examples)
        _checked[key] = checked
        while len(_checked) > _KEPT:
            _checked.popitem(last=False)
    proofs = [_proof(example, checked.failed.get(str(example["id"]), {})) for example in examples]
    return Proofs(sorted(proofs, key=lambda proof: (proof.passed, proof.id)))


def _proof(example: Mapping[str, Any], failed: Mapping[str, tuple[object, object]]) -> Proof:
    certainty = str(example.get("certainty") or "")
    settings = example.get("settings") or {}
    return Proof(
        id=str(example["id"]).rpartition("/")[2],
        insurance=str(Insurance(example["insurance"]).label),
        person=_person(example["resident"]),
        asked=_asked(example),
        expected=_expected(example["expected"]),
        certainty=certainty,
        certainty_word=str(words.CERTAINTIES.get(certainty, certainty)),
        settings=_("，").join(f"{name} = {words.setting_value(value)}" for name, value in settings.items()),
        reading=str(example.get("reading") or ""),
        differences=[(_key(key), _shown(key, pair[0]), _shown(key, pair[1])) for key, pair in failed.items()],
    )


def _person(resident: Mapping[str, Any]) -> str:
    """The facts that make a difference; what is ordinary is left out."""
    birth = resident.get("birth_date")
    parts = [_("%(day)s 生") % {"day": birth} if birth else _("出生日期不详")]
    area = str(resident.get("household_registration") or "")
    if area not in ("", "local"):
        parts.append(str(words.AREAS.get(area, area)))
    permit = str(resident.get("residence_permit") or "").lower()
    if permit in ("true", "parent"):
        parts.append(str(words.PERMITS[permit]))
    school = resident.get("school")
    if school:
        parts.append(_("在读%(school)s") % {"school": words.SCHOOLS.get(school, school)})
    elif resident.get("in_school"):
        parts.append(_("在校"))
    for key, word in (("employee_pension", _("已参加职工养老")), ("employee_medical", _("已参加职工医保"))):
        if resident.get(key):
            parts.append(word)
    for code in resident.get("categories") or ():
        grade = resident.get("disability_grade") if code == "disabled" else None
        parts.append(words.category(code) + (_("%(grade)s 级") % {"grade": grade} if grade else ""))
    if family := resident.get("family"):
        kind = str(family.get("kind"))
        parts.append(str(words.FAMILIES.get(kind, kind)))
    if resident.get("death_date"):
        parts.append(_("%(day)s 死亡") % {"day": resident["death_date"]})
    if other := resident.get("other_enrolment"):
        parts.append(str(_OTHER.get(other, other)))
    if household := resident.get("household"):
        parts.append(
            _("一户 %(members)s 人，登记 %(enrolled)s 人")
            % {"members": household.get("members"), "enrolled": household.get("enrolled")}
        )
    for key, word in (("missed_years", _("中断 %(n)s 年")), ("repaired_years", _("修复 %(n)s 年"))):
        if resident.get(key):
            parts.append(word % {"n": resident[key]})
    return _("，").join(parts)


_OTHER: Final = {
    "medical_outside_pool_city": gettext_lazy("已在市外参加居民医保"),
    "medical_other_county_same_city": gettext_lazy("已在本市其他县区参加居民医保"),
    "same_plan_paid": gettext_lazy("本方案已缴过"),
}


def _asked(example: Mapping[str, Any]) -> str:
    parts = [_("%(day)s 缴费") % {"day": example["payment_date"]}]
    if example.get("tier"):
        parts.append(_("%(tier)s 元档次") % {"tier": example["tier"]})
    route = example.get("route")
    if route and route != "village":
        parts.append(str(words.ROUTES.get(route, route)))
    return _("，").join(parts)


_AMOUNTS: Final = {
    "personal_amount": gettext_lazy("本人缴"),
    "government_paid_amount": gettext_lazy("代缴"),
    "fiscal_subsidy_amount": gettext_lazy("财政补助"),
    "pension_government_subsidy": gettext_lazy("政府补贴"),
    "family_planning_subsidy": gettext_lazy("计生补贴"),
}
_KEYS: Final = {
    **_AMOUNTS,
    "total_amount": gettext_lazy("总额"),
    "decision": gettext_lazy("结论"),
    "reason": gettext_lazy("原因"),
    "timing": gettext_lazy("时段"),
    "payers": gettext_lazy("付款方"),
    "benefit_start": gettext_lazy("待遇开始"),
    "benefit_end": gettext_lazy("待遇结束"),
    "warnings": gettext_lazy("提醒"),
}


def _key(key: str) -> str:
    return str(_KEYS.get(key, key))


def _shown(key: str, value: object) -> str:
    """A value of an answer in words."""
    if value is None or value == "" or value == []:
        return _("无")
    if key == "decision":
        return str(words.DECISIONS.get(str(value), value))
    if key == "reason":
        return office.reason(str(value))
    if key == "timing":
        return str(office.TIMINGS.get(str(value), value))
    if key == "payers" and isinstance(value, Mapping):
        return _("，").join(f"{office.payer(str(code))} {amount}" for code, amount in value.items())
    if isinstance(value, list):
        return _("，").join(str(office.WARNINGS.get(str(each), each)) for each in value)
    return str(value)


def _expected(expected: Mapping[str, Any]) -> str:
    """The decision, why, the amounts that are not nothing, and when cover starts."""
    parts = [_shown("decision", expected["decision"])] if "decision" in expected else []
    if expected.get("reason"):
        parts.append(_shown("reason", expected["reason"]))
    for key, word in _AMOUNTS.items():
        value = expected.get(key)
        if value is not None and (key == "personal_amount" or str(value) != "0.00"):
            parts.append(f"{word} {value}")
    if expected.get("benefit_start"):
        parts.append(_("自 %(day)s 享受") % {"day": expected["benefit_start"]})
    return _("，").join(parts)
