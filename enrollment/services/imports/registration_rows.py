"""One row of the registration data to a staged row: who, where, which insurance, which tier."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan
from enrollment.models.register import IdKind, RegistrationArea, Sex
from enrollment.services.imports.common import (
    NO,
    YES,
    bad_number,
    other_year,
    plan_of,
    read_day,
    read_insurance,
    read_name,
)
from foundation.identity import ParsedNumber, normalise_number, read_number
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Identify, Refused, RowReader, StagedRow, by_number, together
from foundation.money import MoneyError, yuan
from foundation.pinyin import initials
from townships.services.imports.places import county_of, out_of_scope, unknown_village
from townships.unit_names import Units

COLUMNS: Final = (
    "person", "number_index", "number_encrypted", "tail_index", "id_kind", "name", "initials", "birth_date", "sex",
    "township_id", "unit_id", "village_id", "household", "group_name", "head_name", "house_number", "nickname",
    "relation", "registration_area", "residence_permit", "phone_encrypted", "phone_tail", "address", "insurance",
    "tier", "is_new",
)  # fmt: skip

_AREAS: Final = {
    "本县区": RegistrationArea.LOCAL, "本区": RegistrationArea.LOCAL, "本县": RegistrationArea.LOCAL,
    "本市": RegistrationArea.LOCAL, "本地": RegistrationArea.LOCAL, "本地户籍": RegistrationArea.LOCAL,
    "本市其他县区": RegistrationArea.SAME_CITY, "本市其他区县": RegistrationArea.SAME_CITY,
    "市外": RegistrationArea.OUTSIDE, "外地": RegistrationArea.OUTSIDE, "省外": RegistrationArea.OUTSIDE,
    "非本市": RegistrationArea.OUTSIDE,
}  # fmt: skip
_ID_KINDS: Final = {
    "": IdKind.RESIDENT_ID, "居民身份证": IdKind.RESIDENT_ID, "身份证": IdKind.RESIDENT_ID,
    "居民户口簿": IdKind.RESIDENT_ID, "户口簿": IdKind.RESIDENT_ID, "出生医学证明": IdKind.BIRTH_CERTIFICATE,
    "港澳台居民居住证": IdKind.HMT_PERMIT, "港澳台居住证": IdKind.HMT_PERMIT,
    "外国人永久居留证": IdKind.FOREIGN_PERMIT, "外国人永久居留身份证": IdKind.FOREIGN_PERMIT,
}  # fmt: skip
_SEXES: Final = {"男": Sex.MALE, "女": Sex.FEMALE, "男性": Sex.MALE, "女性": Sex.FEMALE}
_SHORTEST_PERMIT, _LONGEST_PERMIT = 7, 30


class _Insurances(dict[str, str]):
    """What senders call the two insurances; empty for what is neither."""

    def __missing__(self, raw: str) -> str:
        found = self[raw] = read_insurance(raw)
        return found


def identify(ctx: Context) -> Identify:
    """Whom a row is about, and which insurance."""
    return by_number(ctx, part=lambda cells: read_insurance(cells.get("insurance", "")))


class _Tails(dict[str, str]):
    """Keyed index of last digits; there are only eleven thousand endings."""

    def __init__(self, ctx: Context) -> None:
        super().__init__()
        self._keyring, self._county = ctx.keyring, ctx.batch.county_code

    def __missing__(self, last4: str) -> str:
        found = self[last4] = "\\x" + self._keyring.tail_index(self._county, last4).hex()
        return found


class _Tiers(dict[str, str | None]):
    """Tier as written to tier as staged; None when the plan has no such tier."""

    def __init__(self, plan: CollectionPlan) -> None:
        super().__init__({"": ""})
        self.amounts = sorted(plan.tiers.values_list("amount", flat=True))

    def __missing__(self, raw: str) -> str | None:
        try:
            amount: Decimal | None = yuan(raw.removesuffix("档"))
        except MoneyError:
            amount = None
        known = amount is not None and (amount in self.amounts or not self.amounts)
        if len(self) > 10_000:
            self.clear()
        found = self[raw] = str(amount) if known else None
        return found

    def unknown(self, raw: str) -> Refused:
        """The answer for a tier the plan does not have."""
        allowed = "、".join(f"{amount:f}".removesuffix(".00") for amount in self.amounts)
        return Refused(
            "unknown_tier",
            _("%(raw)s不是方案的缴费档次，可选：%(allowed)s") % {"raw": raw[:12], "allowed": allowed},
        )


class _Person(tuple[str, str, str, str, str, str, str]):
    """person, number_index, number_encrypted, tail_index, id_kind, birth_date, sex: as staged."""


class _People:
    """Number to keys. Two rows of one person usually follow each other, so the last answer is remembered."""

    def __init__(self, ctx: Context) -> None:
        self._keyring, self._today = ctx.keyring, ctx.today
        self._tails = _Tails(ctx)
        self._raw: tuple[str, str] = ("", "")
        self._answer: _Person | Refused = Refused("empty", "")

    def read(self, cells: dict[str, str], name: str, place: str) -> _Person | Refused:
        """The person's keys, or why there are none."""
        kind = cells.get("id_kind", "")
        raw = cells["id_number"]
        if raw and self._raw == (kind, raw):
            return self._answer
        id_kind = _ID_KINDS.get(kind, IdKind.RESIDENT_ID)
        if id_kind == IdKind.RESIDENT_ID:
            parsed = read_number(raw, self._today)
            if parsed.error == "empty":
                return bad_number(parsed)
            answer = self._by_number(parsed)
        elif raw:
            answer = self._by_paper(cells, id_kind, raw)
        else:
            return self._by_birth(cells, id_kind, name, place)
        self._raw, self._answer = (kind, raw), answer
        return answer

    def _by_number(self, parsed: ParsedNumber) -> _Person | Refused:
        if parsed.error:
            return bad_number(parsed)
        number = parsed.number
        index = "\\x" + self._keyring.blind_index(number).hex()
        sealed = "\\x" + self._keyring.encrypt(number).hex()
        birth, sex = str(parsed.birth_date), parsed.sex or ""
        return _Person((index, index, sealed, self._tails[number[14:]], IdKind.RESIDENT_ID.value, birth, sex))

    def _by_paper(self, cells: dict[str, str], id_kind: IdKind, raw: str) -> _Person | Refused:
        """A permit or certificate has a number of its own form; birth date and sex come from their columns."""
        parsed = read_number(raw, self._today)
        number = parsed.number or normalise_number(raw)
        if not (_SHORTEST_PERMIT <= len(number) <= _LONGEST_PERMIT and number.isascii() and number.isalnum()):
            return Refused(
                "bad_paper_number", _("证件号码不像%(kind)s的号码，请核对") % {"kind": id_kind.label}
            )
        birth = parsed.birth_date or self._birth(cells)
        if not isinstance(birth, date):
            return birth
        sex = parsed.sex or _SEXES.get(cells.get("sex", "")) or ""
        index = "\\x" + self._keyring.blind_index(number).hex()
        sealed = "\\x" + self._keyring.encrypt(number).hex()
        return _Person((index, index, sealed, self._tails[number[-4:]], id_kind.value, str(birth), str(sex)))

    def _by_birth(self, cells: dict[str, str], id_kind: IdKind, name: str, place: str) -> _Person | Refused:
        """A newborn without a number is known by name, birth date and household."""
        if id_kind != IdKind.BIRTH_CERTIFICATE:
            return Refused("empty", _("没有填证件号码"))
        birth = self._birth(cells)
        if not isinstance(birth, date):
            return birth
        household = cells.get("household", "")
        if not household:
            return Refused("newborn_household", _("没有身份证号的新生儿要填户编号"))
        key = self._keyring.blind_index(f"birth|{place}|{household}|{name}|{birth}")
        sex = _SEXES.get(cells.get("sex", ""), "")
        return _Person(("\\x" + key.hex(), "", "", "", id_kind.value, str(birth), str(sex)))

    def _birth(self, cells: dict[str, str]) -> date | Refused:
        birth = read_day(cells.get("birth_date", ""), _("出生日期"), "birth_date")
        if birth is None:
            return Refused("no_birth_date", _("证件不是身份证时要填出生日期"))
        if isinstance(birth, date) and birth > self._today:
            return Refused("bad_date", _("出生日期晚于今天"), "birth_date")
        return birth


def _unknown_insurance(raw: str) -> Refused:
    return Refused("unknown_insurance", _("险种“%(raw)s”不在方案内") % {"raw": raw[:20]})


def _phone(raw: str) -> str:
    digits = "".join(char for char in raw if char.isdigit()) if not raw.isdigit() else raw
    return digits if 7 <= len(digits) <= 15 else ""


def reader(ctx: Context) -> RowReader:
    """The row function of the registration data for one batch."""
    plan = plan_of(ctx)
    units = Units(county_of(ctx), ctx.places)
    people, insurances, tiers = _People(ctx), _Insurances(), _Tiers(plan)
    offered, year = frozenset(plan.insurances), str(plan.coverage_year)
    encrypt = ctx.keyring.encrypt
    yes_no = dict.fromkeys(YES, "t") | dict.fromkeys(NO, "f") | {"新参保": "t", "续保": "f"}
    permits = dict.fromkeys(YES, "true") | dict.fromkeys(NO, "false")
    permits |= {"随父母": "parent", "父母持有": "parent", "持证": "true"}
    letters: dict[str, str] = {}

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        township, village = get("township", ""), get("village", "")
        place = units[township, village]
        if place is not None and not place.allowed:
            return out_of_scope()  # and nothing else is said of it
        name = read_name(cells["name"])
        person = people.read(cells, name if isinstance(name, str) else "", place.unit if place else "")
        insurance = insurances[cells["insurance"]]
        tier = tiers[get("tier", "")] if insurance == "pension" else ""
        if (
            place is None
            or not isinstance(name, str)
            or not isinstance(person, _Person)
            or insurance not in offered
            or get("year", year)[:4] not in {year, ""}
            or tier is None
        ):
            wrong = together(
                unknown_village(township, village) if place is None else None,
                name,
                person,
                _unknown_insurance(cells["insurance"]) if insurance not in offered else None,
                other_year(get("year", ""), year) if get("year", year)[:4] not in {year, ""} else None,
                tiers.unknown(get("tier", "")) if tier is None else None,
            )
            assert wrong is not None
            return wrong
        phone = _phone(get("phone", ""))
        key, number, sealed, tail, id_kind, birth, sex = person
        first = letters.get(name)
        if first is None:
            if len(letters) > 200_000:
                letters.clear()
            first = letters[name] = initials(name)[:20]
        return (
            key, number, sealed, tail, id_kind, name, first, birth, sex,
            place.township, place.unit, place.village,
            get("household", "")[:40], get("group", "")[:20], get("head", "")[:60], get("house_number", "")[:20],
            get("nickname", "")[:20], get("relation", "")[:20],
            _AREAS.get(get("household_registration", ""), ""), permits.get(get("residence_permit", ""), ""),
            "\\x" + encrypt(phone).hex() if phone else "", phone[-4:], get("address", "")[:120],
            insurance, tier, yes_no.get(get("is_new", ""), ""),
        )  # fmt: skip

    return read
