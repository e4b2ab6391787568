"""The acts of the register, one row each: what it is called, for whom it is, what it asks, what it does and says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.register import forms
from contributions.services.register import enrol, people
from contributions.services.register.moves import NewHome, move_people
from enrollment.models import Household, IdKind, Insurance, Registration, Resident
from enrollment.queries import live_plans
from enrollment.services.life import households, moves
from enrollment.services.life import people as register
from enrollment.services.life.closing import BY_MERGE_ALONE
from townships.models import Role, User
from townships.rules import may

Word = str | Promise


@dataclass(frozen=True)
class Standing:
    """What decides which acts apply now: whose row it is, and what stands on it."""

    held: bool
    dead: bool
    left: bool
    open_seasons: int
    closed_seasons: int
    pension_open: int
    missing: tuple[str, ...]
    """Insurances of a plan in force the person is not registered for."""


@dataclass(frozen=True)
class Act:
    """One act. ``run`` calls one service with the form's data and returns what to say."""

    slug: str
    title: Word
    hint: Word
    form: type[forms.ActForm]
    applies: Callable[[User, Any, Any], bool]
    """Asked with who looks, the person and where she stands; for a household with how many live there."""
    run: Callable[[User, Any, dict[str, Any], Any], str]
    button: Word = ""
    grave: bool = False
    """Said in red: hard to take back."""


def standing_of(user: User, person: Resident) -> Standing:
    """What stands on a person, within the user's places. Two queries."""
    held = Resident.objects.held_by(user).filter(pk=person.pk).exists()
    rows = list(
        Registration.objects.held_by(user)
        .filter(resident=person)
        .select_related("plan")
        .exclude(closing_reason=BY_MERGE_ALONE)
    )
    live = [row for row in rows if row.plan.takes_charges]
    have = {(row.insurance, row.coverage_year) for row in rows}
    missing: list[str] = []
    if held:
        for plan in live_plans(person.county_id)[:1]:
            missing = [i for i in plan.insurances if (i, plan.coverage_year) not in have]
    return Standing(
        held=held,
        dead=person.death_date is not None,
        left=person.left_on is not None,
        open_seasons=sum(not row.closing_reason for row in live),
        closed_seasons=sum(bool(row.closing_reason) for row in live),
        pension_open=sum(not row.closing_reason and row.insurance == Insurance.PENSION for row in live),
        missing=tuple(missing),
    )


def _here(user: User, person: Any, now: Standing) -> bool:
    return now.held and not now.dead and not now.left


def _no_number(user: User, person: Any, now: Standing) -> bool:
    return now.held and (person.number_index is None or person.id_kind != IdKind.RESIDENT_ID)


def _death(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.record_death(by=user, resident=person.pk, **data)
    return _("已登记死亡。没缴的不再收；缴过的记到待处理事项，由人决定怎么办。")


def _undo_death(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.undo_death(by=user, resident=person.pk, **data)
    return _("已撤销死亡登记，应缴已重新核定。")


def _leave(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.deregister(by=user, resident=person.pk, **data)
    return _("已登记。没缴的已销号；缴过的记到待处理事项。")


def _return(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.take_back(by=user, resident=person.pk, **data)
    return _("已恢复，原来因此销号的登记又要收了。")


def _name(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    register.correct_name(by=user, resident=person.pk, **data)
    return _("姓名已更正。号码没变，还是同一个人。")


def _number(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.give_number(by=user, resident=person.pk, **data)
    return _("号码已登记，还是原来的档案；按原来的证件号也还能找到。")


def _home(data: dict[str, Any]) -> NewHome:
    number = data.get("household_number", "").strip()
    new = data["home"] == "new"
    if not new and not number:
        raise ValidationError({"household_number": _("并入已有的户，请填户编号。")})
    return NewHome(
        number=number,
        new=new,
        group_name=data.get("group_name", ""),
        house_number=data.get("house_number", ""),
    )


def _company(person: Any, data: dict[str, Any]) -> list[int]:
    return [person.pk, *(int(pk) for pk in data.get("people", []))]


def _unit(form: Any, data: dict[str, Any], name: str) -> Any:
    return forms.unit_of(form.units, data[name])


def _move(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    unit = _unit(form, data, "to_unit")
    moved = move_people(
        by=user, residents=_company(person, data), to_unit=unit, home=_home(data), on=data["on"],
        evidence=data["evidence"], with_registrations=data["with_registrations"],
    )  # fmt: skip
    return _("%(n)s 人已迁到%(unit)s。缴过的钱和原来的登记没有动。") % {"n": len(moved), "unit": unit.name}


def _transfer(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    unit = _unit(form, data, "to_unit")
    made = moves.offer(
        by=user, residents=_company(person, data), to_unit=unit, on=data["on"], evidence=data["evidence"],
        with_registrations=data["with_registrations"],
    )  # fmt: skip
    return _("%(n)s 人的转移单已发给%(township)s，对方接收以后才迁过去。") % {
        "n": len(made), "township": unit.township.name,
    }  # fmt: skip


def _enrol(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    made = enrol.register_resident(by=user, resident=person.pk, wanted=wanted_of(form, data))
    return _("已登记%(what)s，应缴在下面，可以收钱了。") % {
        "what": "、".join(str(Insurance(row.insurance).label) for row in made)
    }


def wanted_of(form: Any, data: dict[str, Any]) -> enrol.Wanted:
    """What a form of registering asks for."""
    plan = next(plan for plan in form.plans if plan.code == data["plan"])
    return enrol.Wanted(plan, data["insurances"], tier=data["tier"], papers=data["papers"])


def _close(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.settle_registration(by=user, **{**data, "registration": int(data["registration"])})
    return _("已销号，催缴名单和新清册里不再列。缴过钱的记到待处理事项。")


def _reopen(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    people.unsettle_registration(by=user, **{**data, "registration": int(data["registration"])})
    return _("销号已撤销，又要收了。")


def _tier(user: User, person: Any, data: dict[str, Any], form: Any) -> str:
    changed = people.change_tier(by=user, **{**data, "registration": int(data["registration"])})
    if changed:
        return _("档次已改，应缴已重新核定。")
    return _("这一条已经缴过钱，档次没有改，已记到待处理事项，由区里决定。")


PERSON: Final[tuple[Act, ...]] = (
    Act(
        "enrol", gettext_lazy("参保登记"), gettext_lazy("看过材料，登记后再收钱"), forms.EnrolForm,
        lambda u, p, now: _here(u, p, now) and bool(now.missing), _enrol, gettext_lazy("登记"),
    ),
    Act(
        "tier", gettext_lazy("改养老档次"), gettext_lazy("没缴钱才能改"), forms.TierForm,
        lambda u, p, now: now.pension_open > 0 and not now.dead, _tier,
    ),
    Act(
        "close", gettext_lazy("销号"), gettext_lazy("不缴了：写明原因，不再催"), forms.CloseForm,
        lambda u, p, now: now.open_seasons > 0, _close, gettext_lazy("销号"),
    ),
    Act(
        "reopen", gettext_lazy("撤销销号"), gettext_lazy("又要缴了"), forms.ReopenForm,
        lambda u, p, now: now.closed_seasons > 0 and not now.dead, _reopen, gettext_lazy("撤销销号"),
    ),
    Act(
        "move", gettext_lazy("迁移"), gettext_lazy("搬到本辖区的另一个村、另一户"), forms.MoveForm, _here, _move,
        gettext_lazy("迁移"),
    ),
    Act(
        "transfer", gettext_lazy("转出到别的镇街"), gettext_lazy("对方接收以后才迁过去"), forms.TransferForm,
        lambda u, p, now: _here(u, p, now) and u.role == Role.TOWNSHIP_CLERK, _transfer, gettext_lazy("发转移单"),
    ),
    Act(
        "name", gettext_lazy("更正姓名"), gettext_lazy("号码不变，就是同一个人"), forms.NameForm,
        lambda u, p, now: now.held, _name,
    ),
    Act(
        "number", gettext_lazy("登记身份证号"), gettext_lazy("新生儿有了号码，或者号码登错了"), forms.NumberForm,
        lambda u, p, now: now.held, _number,
    ),
    Act(
        "leave", gettext_lazy("户口迁出、注销"), gettext_lazy("没缴的销号，缴过的留待处理"), forms.LeaveForm, _here,
        _leave, gettext_lazy("登记"), grave=True,
    ),
    Act(
        "return", gettext_lazy("恢复户口"), gettext_lazy("迁出或注销登错了，或者迁回来了"), forms.ReturnForm,
        lambda u, p, now: now.held and now.left, _return, gettext_lazy("恢复"),
    ),
    Act(
        "death", gettext_lazy("登记死亡"), gettext_lazy("没缴的不再收，缴过的留待处理"), forms.DeathForm,
        lambda u, p, now: now.held and not now.dead, _death, gettext_lazy("登记死亡"), grave=True,
    ),
    Act(
        "undo-death", gettext_lazy("撤销死亡登记"), gettext_lazy("登错了人"), forms.EvidenceForm,
        lambda u, p, now: now.held and now.dead, _undo_death, gettext_lazy("撤销死亡登记"),
    ),
)  # fmt: skip


def _split(user: User, home: Any, data: dict[str, Any], form: Any) -> str:
    new = households.split_household(
        by=user, household=home.pk, leaving=[int(pk) for pk in data["leaving"]], head=int(data["head"]),
        number=data["number"], house_number=data["house_number"], on=data["on"], evidence=data["evidence"],
    )  # fmt: skip
    return _("已分户，新户编号 %(number)s。各人的应缴和缴费跟着人，没有变。") % {"number": new.number}


def _join(user: User, home: Any, data: dict[str, Any], form: Any) -> str:
    target = Household.objects.held_by(user).filter(
        unit=home.unit_id, number=data["number"].strip(), merged_into=None
    )
    found = target.first()
    if found is None:
        raise ValidationError({"number": _("本村没有这个户编号。")})
    households.merge_households(
        by=user, household=home.pk, into=found.pk, on=data["on"], evidence=data["evidence"]
    )
    return _("已并入 %(number)s 号户，原来的户编号保留可查。") % {"number": found.number}


def _head(user: User, home: Any, data: dict[str, Any], form: Any) -> str:
    households.change_head(
        by=user, household=home.pk, head=int(data["head"]), on=data["on"], evidence=data["evidence"]
    )
    return _("户主已变更，其他人和户主的关系请核对。")


HOME: Final[tuple[Act, ...]] = (
    Act(
        "split", gettext_lazy("分户"), gettext_lazy("一部分人立新户"), forms.SplitForm,
        lambda u, h, n: n > 1, _split, gettext_lazy("分户"),
    ),
    Act(
        "join", gettext_lazy("并户"), gettext_lazy("全家并入本村另一户"), forms.JoinForm,
        lambda u, h, n: n > 0, _join, gettext_lazy("并户"),
    ),
    Act(
        "head", gettext_lazy("变更户主"), gettext_lazy("换一个人做户主"), forms.HeadForm,
        lambda u, h, n: n > 0, _head,
    ),
)  # fmt: skip


def acts_for(user: User, person: Resident) -> list[Act]:
    """The acts that apply to a person now, for this user."""
    if not may(user.role, "keep_register") or person.merged_into_id is not None:
        return []
    now = standing_of(user, person)
    return [act for act in PERSON if act.applies(user, person, now)]


def acts_of_home(user: User, home: Household, members: int) -> list[Act]:
    """The acts that apply to a household now, for this user."""
    if not may(user.role, "keep_register") or home.merged_into_id is not None:
        return []
    if not Household.objects.held_by(user).filter(pk=home.pk).exists():
        return []
    return [act for act in HOME if act.applies(user, home, members)]


def find(acts: Iterable[Act], slug: str) -> Act | None:
    """The act of a slug among those that apply."""
    return next((act for act in acts if act.slug == slug), None)
