"""The main job on synthetic files: from registration data to posted list, by the same services everybody uses."""

from __future__ import annotations

import csv
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Count

from contributions.models import Charge, Means, Payment, PaymentLine, Route
from contributions.services.payments import LineOrder, PaymentOrder, record_payment
from enrollment.models import CollectionPlan, Registration, Target
from foundation.audit.services import record
from foundation.clock.services import offset, set_business_date
from foundation.encryption import get_keyring
from foundation.identity import normalise_number
from foundation.scope.context import places_scope, scope
from foundation.scope.engine.base import owner_connection
from townships.models import Agency, AgencyKind, CollectingUnit, County, Role, Township, User
from townships.queries import county_places
from townships.services.accounts import change_account, create_account, new_password

COUNTY, PLAN, TODAY, SEED = "370406", "shanting-2023", date(2022, 11, 30), 2023
BEGUN = "demonstration.begin"
# The clerk's township and the agent's village in the demonstration.
CLERK_TOWNSHIP, AGENT_UNIT = "370406101000", "370406101212"
# Payments stored together in one transaction.
A_MORNING = 200
SHANGHAI = ZoneInfo("Asia/Shanghai")
# Channels by which a village agent helps; the rest are residents at their own phones or counters.
AGENT_CHANNELS = {"裕农通": Means.POS, "银联二维码": Means.QR}
AGENCIES = {
    AgencyKind.TAX: "税务局", AgencyKind.MEDICAL: "医保局", AgencyKind.HR: "人社局", AgencyKind.FINANCE: "财政局",
    AgencyKind.CIVIL_AFFAIRS: "民政局", AgencyKind.DISABLED_FEDERATION: "残联", AgencyKind.HEALTH: "卫健局",
    AgencyKind.RURAL_REVIVAL: "乡村振兴局", AgencyKind.VETERANS: "退役军人事务局", AgencyKind.POLICE: "公安分局",
    AgencyKind.EDUCATION: "教体局", AgencyKind.AUDIT: "审计局", AgencyKind.GOVERNMENT: "政府办公室",
}  # fmt: skip
AGENCY_OF_ROLE = {
    Role.TAX_BUREAU: AgencyKind.TAX, Role.MEDICAL_BUREAU: AgencyKind.MEDICAL, Role.HR_BUREAU: AgencyKind.HR,
    Role.FINANCE_BUREAU: AgencyKind.FINANCE, Role.DEPARTMENT: AgencyKind.CIVIL_AFFAIRS, Role.AUDITOR: AgencyKind.AUDIT,
    Role.COUNTY_LEADER: AgencyKind.GOVERNMENT, Role.ADMIN: AgencyKind.GOVERNMENT,
}  # fmt: skip


class ForeignDatabaseError(Exception):
    """The database holds data the demonstration did not make; it is left alone."""


def tables_exist() -> bool:
    """Whether the database was ever migrated."""
    with owner_connection().as_owner(), owner_connection().cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.audit_auditevent') IS NOT NULL")
        row = cursor.fetchone()
    return bool(row and row[0])


def empty_database() -> None:
    """Drop what an earlier demonstration made. Raises ForeignDatabaseError for anybody else's data."""
    with owner_connection().as_owner(), owner_connection().cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM audit_auditevent WHERE action = %s),"
            " EXISTS (SELECT 1 FROM townships_county)",
            [BEGUN],
        )
        row = cursor.fetchone()
        assert row is not None
        ours, used = row
        if used and not ours:
            raise ForeignDatabaseError
        if used:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")


def begin(residents: int) -> None:
    """Mark the database as the demonstration's own, and move its day."""
    with transaction.atomic():
        set_business_date(county_code=COUNTY.ljust(12, "0"), day=TODAY)
        record(by=None, action=BEGUN, county_code=COUNTY.ljust(12, "0"), detail={"residents": residents})


def make_accounts(county: County) -> dict[str, dict[str, str]]:
    """One account a role, named as the role, with a fresh random password."""
    accounts = {}
    with transaction.atomic():
        agencies = {
            kind: Agency.objects.get_or_create(
                county=county, name=f"{county.name}{name}", defaults={"kind": kind}
            )[0]
            for kind, name in AGENCIES.items()
        }
        for number, township in enumerate(
            Township.objects.filter(county=county).order_by("position"), start=1
        ):
            Agency.objects.get_or_create(
                county=county,
                name=f"{township.name}医保办",
                defaults={"kind": AgencyKind.MEDICAL, "township": township, "phone": f"0632-000{number:04d}"},
            )
        for role in Role:
            password = new_password()
            kind = AGENCY_OF_ROLE.get(role)
            create_account(
                by=None, username=role.value, role=role.value, county=county, password=password,
                display_name=_display_name(role), agency=agencies[kind] if kind else None,
                townships=Township.objects.filter(code=CLERK_TOWNSHIP) if role == Role.TOWNSHIP_CLERK else (),
                units=CollectingUnit.objects.filter(code=AGENT_UNIT) if role == Role.VILLAGE_AGENT else (),
            )  # fmt: skip
            accounts[role.value] = {"username": role.value, "password": password}
    return accounts


def _display_name(role: Role) -> str:
    if role == Role.TOWNSHIP_CLERK:
        return "店子镇医保办"
    return "柳泉村代办员" if role == Role.VILLAGE_AGENT else str(role.label)


def write_accounts(accounts: dict[str, dict[str, str]], path: Path) -> None:
    """``accounts.json``, readable by its owner alone."""
    path.touch(mode=0o600, exist_ok=True)
    path.chmod(0o600)
    path.write_text(json.dumps(accounts, ensure_ascii=False, indent=1), encoding="utf-8")


def scale_targets(plan: CollectionPlan, targets: dict[tuple[str, str], int]) -> None:
    """Bring the plan's headcounts to the size of the demonstration, so that its rates look like life."""
    with transaction.atomic():
        for target in Target.objects.filter(plan=plan, township__isnull=False).select_related("township"):
            assert target.township is not None
            Target.objects.filter(pk=target.pk).update(
                headcount=targets[target.township.code[:9], target.insurance]
            )
        for target in Target.objects.filter(plan=plan, township__isnull=True):
            total = sum(
                count for (_code, insurance), count in targets.items() if insurance == target.insurance
            )
            Target.objects.filter(pk=target.pk).update(headcount=total)
        record(
            by=None,
            action="targets.scale",
            target_kind="plan",
            target=plan.code,
            county_code=plan.county.code,
        )


def settle_agent(plan: CollectionPlan) -> CollectingUnit:
    """The agent's unit: 柳泉, or in a very small county the largest unit that has people, with the clerk beside."""
    sizes = (
        Registration.objects.filter(plan=plan)
        .values("unit_id")
        .annotate(n=Count("pk"))
        .order_by("-n", "unit_id")
    )
    counted = {row["unit_id"]: row["n"] for row in sizes}
    unit = CollectingUnit.objects.select_related("township").get(code=AGENT_UNIT)
    if unit.pk not in counted and counted:
        unit = CollectingUnit.objects.select_related("township").get(pk=next(iter(counted)))
        agent, clerk = (
            User.objects.get(username=role.value) for role in (Role.VILLAGE_AGENT, Role.TOWNSHIP_CLERK)
        )
        change_account(by=None, user=agent, units=[unit], display_name=f"{unit.name}代办员")
        change_account(
            by=None, user=clerk, townships=[unit.township], display_name=f"{unit.township.name}医保办"
        )
    return unit


@dataclass
class Collected:
    """What the demonstration's agents took."""

    payments: int = 0
    lines: int = 0
    amount: Decimal = Decimal("0.00")


def collect(plan: CollectionPlan, tax_results: Path, report: Any) -> Collected:
    """Let village agents and township windows take what ``tax_results.csv`` will confirm, and a little more.

    A household's members who paid on one day by one village channel are one payment. One household in forty of the
    rest is paid too, at the township's window, and waits for the tax side.
    """
    people = _people(plan)
    visits: dict[tuple[int, str, str], list[dict[str, Any]]] = defaultdict(list)
    seen: set[int] = set()
    with tax_results.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            key = (
                get_keyring().blind_index(normalise_number(row["缴费人识别号"])),
                _insurance(row["征收品目"]),
            )
            person = people.get(key)
            if person is None or person["registration"] in seen:
                continue
            seen.add(person["registration"])
            if row["缴费渠道"] in AGENT_CHANNELS and Decimal(row["实缴金额"]) == person["personal"]:
                visits[person["household"], row["开票日期"], row["缴费渠道"]].append(person)
    waiting: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for person in people.values():
        if person["registration"] not in seen and person["household"] % 40 == 0 and person["personal"] > 0:
            waiting[person["household"]].append(person)
    orders = [
        (date.fromisoformat(day), Route.VILLAGE, AGENT_CHANNELS[channel], members)
        for (_household, day, channel), members in visits.items()
    ]
    orders += [
        (date(2022, 11, 24 + household % 7), Route.TOWNSHIP_OFFICE, Means.QR, members)
        for household, members in waiting.items()
    ]
    return _take(plan, sorted(orders, key=lambda o: (o[0], o[3][0]["registration"])), report)


def _insurance(name: str) -> str:
    return "pension" if "养老" in name else "medical"


def _people(plan: CollectionPlan) -> dict[tuple[bytes, str], dict[str, Any]]:
    rows = (
        Charge.objects.filter(plan=plan, current=True, decision="accept")
        .exclude(resident__number_index=None)
        .values_list(
            "resident__number_index",
            "insurance",
            "registration_id",
            "pk",
            "version",
            "personal_amount",
            "household_id",
            "unit_id",
            "resident__household__head_name",
        )
    )
    return {
        (bytes(index), insurance): {
            "registration": registration, "charge": charge, "version": version, "personal": personal,
            "household": household or -registration, "unit": unit, "head": head or "",
        }
        for index, insurance, registration, charge, version, personal, household, unit, head in rows.iterator()
    }  # fmt: skip


def _take(plan: CollectionPlan, orders: list[Any], report: Any) -> Collected:
    collected = Collected()
    clerk = _everywhere(plan)
    shift = offset(plan.county.code)
    for start in range(0, len(orders), A_MORNING):
        with scope(clerk):
            for number, order in enumerate(orders[start : start + A_MORNING], start=start):
                taken = _order(plan, number, order, shift)
                record_payment(by=clerk, order=taken)
                collected.payments += 1
                collected.lines += len(taken.lines)
                collected.amount += taken.received
        report(collected.payments, len(orders), "payments")
    return collected


def _order(plan: CollectionPlan, number: int, visit: Any, shift: timedelta) -> PaymentOrder:
    day, route, means, members = visit
    lines = tuple(
        LineOrder(m["registration"], m["charge"], m["version"], m["personal"])
        for m in sorted(members, key=lambda m: m["registration"])
    )
    return PaymentOrder(
        client_uuid=uuid.uuid5(uuid.NAMESPACE_OID, f"{plan.code}/{number}/{lines[0].registration}"),
        handed_over_at=datetime.combine(day, time(8 + number % 10, number % 60), SHANGHAI) - shift,
        route=route, means=means, lines=lines, received=sum((line.amount for line in lines), Decimal("0.00")),
        household=members[0]["household"] if members[0]["household"] > 0 else None, payer_name=members[0]["head"],
    )  # fmt: skip


def _everywhere(plan: CollectionPlan) -> User:
    """The tax bureau's account: it sees the county, as the desk that takes over old records would."""
    return User.objects.get(username=Role.TAX_BUREAU.value, county=plan.county)


def money_summary(plan: CollectionPlan) -> dict[str, Any]:
    """Payments, lines and yuan as they stand."""
    with places_scope(county_places(plan.county)):
        lines = PaymentLine.objects.filter(payment__plan=plan)
        return {
            "payments": Payment.objects.filter(plan=plan).count(),
            "lines": lines.count(),
            "confirmed": lines.filter(tax_entry__isnull=False).count(),
        }


def outputs() -> Path:
    """Where the demonstration leaves what it made."""
    folder = Path(settings.DATA_DIR) / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
