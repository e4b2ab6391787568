"""The archive of a closed year: a workbook a township, the county's summary and its paper, sealed in storage.

What is archived of a township: figures by unit; a line for every registration with what was due, by whom, what was
paid, how, by which voucher, and how it ended; the sealed rosters with their digests; every case with its outcome. Of the
county: figures by township and insurance, by payer, by tier, what was open and why it was closed nevertheless, and the
directory of all files with their SHA-256. Whole ID numbers: it is the year's book, opened by who may read them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils.translation import gettext as _

from contributions.models import CaseKind, Means
from contributions.models.dues import IN_SCOPE
from enrollment.models import CollectionPlan, Insurance
from foundation.documents import report
from foundation.encryption import get_keyring
from foundation.imports.engine import vault
from foundation.sheets import OfficialTable, write_workbook
from rosters.models import RosterKind
from rosters.rules import REASON_WORDS, safe_name
from seasons.layouts import BY_UNIT, CASES, LEDGER, ROSTERS
from seasons.models import ArchivedFile, FileKind, SeasonClosing
from seasons.services.summary_paper import county_tables, summary_report
from townships.models import Township

FOLDER: Final = "seasons"
BLOCK: Final = 2000

_LEDGER: Final = """
WITH owed AS (
    SELECT registration_id, sum(personal_amount) AS personal, sum(government_paid_amount) AS government,
           max(household_id) AS household_id, min(benefit_start) AS benefit_start, max(benefit_end) AS benefit_end
    FROM contributions_charge
    WHERE plan_id = %(plan)s AND township_id = %(township)s AND current AND for_year = %(year)s GROUP BY registration_id
), paid AS (
    SELECT l.registration_id, sum(l.amount) AS paid,
           max(p.paid_on) FILTER (WHERE p.reverses_id IS NULL AND back.id IS NULL AND l.amount > 0) AS paid_on,
           max(p.means COLLATE "C") FILTER (WHERE p.reverses_id IS NULL AND back.id IS NULL AND l.amount > 0) AS means
    FROM contributions_paymentline l JOIN contributions_payment p ON p.id = l.payment_id
    LEFT JOIN contributions_payment back ON back.reverses_id = p.id
    WHERE p.plan_id = %(plan)s AND l.township_id = %(township)s AND l.part <> 'government' GROUP BY l.registration_id
), ticket AS (
    SELECT registration_id, max(voucher COLLATE "C") AS voucher, max(settled_on) AS settled_on
    FROM contributions_taxentry
    WHERE plan_id = %(plan)s AND township_id = %(township)s AND NOT of_government GROUP BY registration_id
)
SELECT u.name AS unit, coalesce(h.group_name, '') AS "group", coalesce(h.number, '') AS household,
       coalesce(h.head_name, '') AS head, r.name, r.number_encrypted, g.insurance, g.tier, o.personal, o.government,
       p.paid, p.paid_on, p.means, t.voucher, t.settled_on, g.closing_reason, o.benefit_start, o.benefit_end,
       a.decision, a.reason
FROM enrollment_registration g
JOIN enrollment_resident r ON r.id = g.resident_id
JOIN townships_collectingunit u ON u.id = g.unit_id
LEFT JOIN owed o ON o.registration_id = g.id
LEFT JOIN paid p ON p.registration_id = g.id
LEFT JOIN ticket t ON t.registration_id = g.id
LEFT JOIN contributions_assessment a ON a.resident_id = g.resident_id AND a.insurance = g.insurance
    AND a.coverage_year = g.coverage_year
LEFT JOIN enrollment_household h ON h.id = coalesce(g.household_id, o.household_id, r.household_id)
WHERE g.plan_id = %(plan)s AND g.township_id = %(township)s
ORDER BY u.position, u.code COLLATE "C", substring(h.group_name FROM '[0-9]{1,6}')::int NULLS LAST,
         h.group_name COLLATE "C", h.number COLLATE "C", r.is_head DESC, r.birth_date, r.name COLLATE "C",
         r.number_index, g.insurance
"""
_CASES: Final = """
SELECT u.name AS unit, coalesce(r.name, p.payer_name, '') AS name, c.kind, c.amount, c.state, c.opened_at, c.outcome
FROM contributions_paymentcase c
JOIN townships_collectingunit u ON u.id = c.unit_id
LEFT JOIN contributions_payment p ON p.id = c.payment_id
LEFT JOIN enrollment_registration g ON g.id = c.registration_id
LEFT JOIN enrollment_resident r ON r.id = g.resident_id
WHERE c.township_id = %(township)s AND coalesce(p.plan_id, g.plan_id) = %(plan)s ORDER BY u.position, c.id
"""
_ROSTERS: Final = """
SELECT u.name AS unit, s.kind, s.number, s.line_count AS lines, s.digest, s.sealed_at
FROM rosters_roster s JOIN townships_collectingunit u ON u.id = s.unit_id
WHERE s.plan_id = %(plan)s AND s.township_id = %(township)s ORDER BY u.position, u.code COLLATE "C", s.kind, s.version
"""
_UNITS: Final = """
SELECT u.name AS township, g.insurance, count(*) AS registered, count(*) FILTER (WHERE o.personal > 0) AS due,
       sum(o.personal) AS due_amount, count(*) FILTER (WHERE o.personal > 0 AND p.paid >= o.personal) AS paid,
       coalesce(sum(p.paid), 0) AS paid_amount,
       count(*) FILTER (WHERE o.personal = 0 AND o.government > 0) AS exempt,
       coalesce(sum(o.government) FILTER (WHERE o.personal = 0), 0) AS exempt_amount,
       count(*) FILTER (WHERE a.decision = ANY (%(in_scope)s)) AS in_scope,
       count(*) FILTER (WHERE t.confirmed > 0) AS confirmed, coalesce(sum(t.confirmed), 0) AS confirmed_amount,
       coalesce(sum(t.settled), 0) AS settled_amount,
       count(*) FILTER (WHERE o.personal > coalesce(p.paid, 0) AND g.closing_reason = '') AS unpaid,
       coalesce(sum(o.personal - coalesce(p.paid, 0))
           FILTER (WHERE o.personal > coalesce(p.paid, 0) AND g.closing_reason = ''), 0) AS unpaid_amount,
       count(*) FILTER (WHERE g.closing_reason <> '') AS settled_aside
FROM enrollment_registration g
JOIN townships_collectingunit u ON u.id = g.unit_id
LEFT JOIN (SELECT registration_id, sum(personal_amount) AS personal, sum(government_paid_amount) AS government
           FROM contributions_charge WHERE plan_id = %(plan)s AND township_id = %(township)s AND current
             AND for_year = %(year)s GROUP BY 1) o ON o.registration_id = g.id
LEFT JOIN (SELECT l.registration_id, sum(l.amount) AS paid FROM contributions_paymentline l
           WHERE l.township_id = %(township)s AND l.part <> 'government' GROUP BY 1) p ON p.registration_id = g.id
LEFT JOIN (SELECT registration_id, sum(amount) AS confirmed, sum(amount) FILTER (WHERE settled_on IS NOT NULL) AS settled
           FROM contributions_taxentry WHERE plan_id = %(plan)s AND township_id = %(township)s AND NOT of_government
           GROUP BY 1) t ON t.registration_id = g.id
LEFT JOIN contributions_assessment a ON a.resident_id = g.resident_id AND a.insurance = g.insurance
    AND a.coverage_year = g.coverage_year
WHERE g.plan_id = %(plan)s AND g.township_id = %(township)s
GROUP BY u.position, u.code, u.name, g.insurance ORDER BY u.position, u.code COLLATE "C", g.insurance
"""


def _rows(statement: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows by name, read in blocks at the server's side: memory holds one block whatever the township's size."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while block := cursor.fetchmany(BLOCK):
            names = [column.name for column in cursor.description or ()]
            for row in block:
                yield dict(zip(names, row, strict=True))


def archive_township(closing: SeasonClosing, township: Township) -> ArchivedFile:
    """Write and seal a township's workbook, once a closing. Runs under the scope of the whole county."""
    done = closing.files.filter(kind=FileKind.TOWNSHIP, township=township).first()
    if done is not None:
        return done
    plan = closing.plan
    place = f"{plan.county.name}{township.name}"
    title = _("%(place)s%(year)s年度城乡居民两险%(what)s")
    unit_line = _("单位：元　%(plan)s") % {"plan": plan.document_number or plan.name}
    values = {
        "plan": plan.pk, "year": plan.coverage_year, "township": township.pk,
        "in_scope": [decision.value for decision in IN_SCOPE],
    }  # fmt: skip

    def table(layout: Any, rows: Iterator[dict[str, Any]], what: str) -> OfficialTable:
        heading = title % {"place": place, "year": plan.coverage_year, "what": what}
        return OfficialTable(
            layout, rows, heading, unit_line, closing.on, what, page_note=_seal_note(closing)
        )

    tables = [
        table(BY_UNIT, _units(values), _("汇总")),
        table(LEDGER, _ledger(values), _("台账")),
        table(ROSTERS, _roster_rows(values), _("清册目录")),
        table(CASES, _case_rows(values), _("待处理事项")),
    ]
    name = safe_name(f"{plan.coverage_year}-{township.position:02d}-{township.name}-年度台账") + ".xlsx"
    with vault.folder() as folder:
        path = folder / "book.xlsx"
        written = write_workbook(path, tables)
        return _seal(
            closing, path, kind=FileKind.TOWNSHIP, township=township, name=name, lines=written[1].lines
        )


def _seal_note(closing: SeasonClosing) -> str:
    return _("%(code)s 第%(n)s次结账 %(day)s") % {
        "code": closing.plan.code, "n": closing.number, "day": closing.on.isoformat(),
    }  # fmt: skip


def _units(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    words = dict(Insurance.choices)
    for row in _rows(_UNITS, values):
        yield row | {"insurance": str(words[row["insurance"]])}


def _ledger(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    keys, insurances, means = get_keyring(), dict(Insurance.choices), dict(Means.choices)
    for row in _rows(_LEDGER, values):
        sealed = row.pop("number_encrypted")
        cover = " – ".join(day.isoformat() for day in (row["benefit_start"], row["benefit_end"]) if day)
        yield row | {
            "number": keys.decrypt(sealed) if sealed else "",
            "insurance": str(insurances[row["insurance"]]),
            "means": str(means.get(row["means"], "")) if row["means"] else "",
            "state": state_of(row),
            "cover": cover,
        }


def state_of(row: dict[str, Any]) -> str:
    """How a registration's year ended, in the words of the book."""
    personal, paid = row["personal"], row["paid"] or Decimal(0)
    if personal is None:
        reason = row["closing_reason"] or row["reason"] or row["decision"] or "not_assessed"
        return REASON_WORDS.get(reason, reason)
    if personal == 0 and row["government"]:
        return _("政府代缴")
    if paid >= personal:
        return _("已缴")
    if row["closing_reason"]:
        return _("销号：%(why)s") % {"why": row["closing_reason"]}
    return _("缴了一部分") if paid > 0 else _("未缴")


def _case_rows(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kinds = dict(CaseKind.choices)
    for row in _rows(_CASES, values):
        yield row | {
            "kind": str(kinds.get(row["kind"], row["kind"])),
            "state": _("待处理") if row["state"] == "open" else _("已处理"),
            "opened_on": row["opened_at"].date(),
        }


def _roster_rows(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kinds = dict(RosterKind.choices)
    for row in _rows(_ROSTERS, values):
        yield row | {"kind": str(kinds.get(row["kind"], row["kind"])), "sealed_on": row["sealed_at"].date()}


def archive_county(closing: SeasonClosing, summary: dict[str, Any]) -> list[ArchivedFile]:
    """Write and seal the county's summary workbook, with the directory of all files, and its paper."""
    plan = closing.plan
    made = list(closing.files.filter(kind__in=[FileKind.COUNTY, FileKind.PAPER]))
    kinds = {file.kind for file in made}
    head = f"{plan.coverage_year}-{plan.county.name}"
    with vault.folder() as folder:
        if FileKind.COUNTY not in kinds:
            path = folder / "summary.xlsx"
            books = list(closing.files.filter(kind=FileKind.TOWNSHIP).order_by("township__position", "name"))
            written = write_workbook(
                path, county_tables(plan, summary, closing.on, closing=closing, files=books)
            )
            name = safe_name(f"{head}-年度汇总") + ".xlsx"
            made.append(
                _seal(closing, path, kind=FileKind.COUNTY, township=None, name=name, lines=written[0].lines)
            )
        if FileKind.PAPER not in kinds:
            path = folder / "summary.pdf"
            path.write_bytes(report(summary_report(plan, summary, closing.on, closing=closing)))
            name = safe_name(f"{head}-年度总结") + ".pdf"
            made.append(_seal(closing, path, kind=FileKind.PAPER, township=None, name=name, lines=0))
    return made


def _seal(
    closing: SeasonClosing, path: Path, *, kind: FileKind, township: Township | None, name: str, lines: int
) -> ArchivedFile:
    with path.open("rb") as source:
        stored = vault.store(source, folder=f"{FOLDER}/{closing.pk}")
    try:
        with transaction.atomic():
            return ArchivedFile.objects.create(
                closing=closing, kind=kind, township=township, name=name, stored_as=stored.name,
                sha256=stored.sha256, size=stored.size, lines=lines,
            )  # fmt: skip
    except BaseException:
        vault.remove(stored.name)
        raise


def forget_strays(closing: SeasonClosing) -> int:
    """Remove sealed files of a closing that no row names: what a killed worker had written before its part was done."""
    known = set(closing.files.values_list("stored_as", flat=True))
    folder, gone = f"{FOLDER}/{closing.pk}", 0
    with contextlib.suppress(FileNotFoundError):
        for name in default_storage.listdir(folder)[1]:
            if f"{folder}/{name}" not in known:
                vault.remove(f"{folder}/{name}")
                gone += 1
    return gone


def plan_of(closing: SeasonClosing) -> CollectionPlan:
    """The closing's plan with its county at hand."""
    return CollectionPlan.objects.select_related("county").get(pk=closing.plan_id)
