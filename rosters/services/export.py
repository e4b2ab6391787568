"""Workbooks of sealed rosters: one official workbook per unit, many in one zip.

Lines are read in their order in blocks, so that memory holds one block and one workbook whatever the size of the
county. A zip is written beside its place and renamed when it is whole. Every export is one audit event.
"""

from __future__ import annotations

import io
import os
import resource
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import Means
from enrollment.models import CollectionPlan
from foundation.audit.services import record
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number, mask_phone
from foundation.sheets import Layout, OfficialTable, write_workbook
from rosters.layouts import LEDGERS, ROUNDS
from rosters.models import Roster, RosterKind
from rosters.queries import lines_of
from rosters.rules import safe_name, short_digest
from townships.rules import may

BLOCK = 2000
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Detail:
    """How much of a person a workbook shows: whole ID numbers, whole phone numbers."""

    numbers: bool
    phones: bool

    @classmethod
    def of_role(cls, role: str) -> Detail:
        """What a post may take out: bureaus whole numbers for their own systems; who collects, phones to call."""
        numbers = may(role, "read_full_numbers")
        return cls(numbers=numbers, phones=numbers or may(role, "collect"))


WHOLE = Detail(numbers=True, phones=True)


@dataclass(frozen=True)
class Exported:
    """What was written; ``seconds`` and ``peak_mb`` of this process."""

    workbooks: int
    lines: int
    bytes: int
    seconds: float
    peak_mb: float


def workbook_name(roster: Roster) -> str:
    """``店子村-征收清册-2023-第1版.xlsx``, safe on every desktop."""
    return (
        safe_name(
            f"{roster.unit.name}-{of_insurance(roster)}{roster.get_kind_display()}-{roster.plan.coverage_year}-"
            + _("第%(n)s版") % {"n": roster.version}
        )
        + ".xlsx"
    )


def of_insurance(roster: Roster) -> str:
    """医疗 or 养老 on a roster of one insurance, nothing on one of both."""
    return str(roster.get_insurance_display()) if roster.insurance else ""


def write_roster(target: Path | BinaryIO, roster: Roster, *, detail: Detail, watermark: str = "") -> int:
    """Write one unit's workbook: 入户册 (A4) and 台账 (A3). Returns the number of people.

    The number of the version and the start of its digest stand above the table and at the foot of every page.
    ``watermark`` joins them there (who took it, when). Reads run in the caller's scope.
    """
    place = f"{roster.township.name}{roster.unit.name}"
    kind = RosterKind(roster.kind)
    ledger = LEDGERS[kind]
    title = _("%(place)s%(year)s年度城乡居民%(insurance)s%(kind)s") % {
        "place": place, "year": roster.plan.coverage_year, "insurance": of_insurance(roster) or _("两险"),
        "kind": roster.get_kind_display(),
    }  # fmt: skip
    seal = _("编号 %(number)s　校验码 %(digest)s") % {
        "number": roster.number, "digest": short_digest(roster.digest),
    }  # fmt: skip
    note = f"{roster.number} {short_digest(roster.digest)}" + (f" {watermark}" if watermark else "")
    footer = (
        _("本册为第 %(version)s 版，数据截至 %(day)s；校验码全文：%(digest)s") % {
            "version": roster.version, "day": roster.as_of.isoformat(), "digest": roster.digest,
        },
    )  # fmt: skip

    def table(layout: Layout, sheet: str) -> OfficialTable:
        return OfficialTable(
            layout,
            _rows(roster, detail, whole=layout is ledger),
            title,
            f"{_('村（居）')}：{place}　{seal}",
            roster.as_of,
            sheet,
            footer,
            note,
        )

    written = write_workbook(target, [table(ROUNDS[kind], _("入户册")), table(ledger, _("台账"))])
    return written[0].lines


def _rows(roster: Roster, detail: Detail, *, whole: bool) -> Iterator[dict[str, object]]:
    """Lines as the layouts name them. ``whole`` adds what only the 台账 shows."""
    keys, means = get_keyring(), {m.value: str(m.label) for m in Means}
    columns = [
        "head_name", "name", "relation", "note", "tier", "pension_personal", "medical_personal", "personal",
        "number_encrypted",
    ]  # fmt: skip
    if whole:
        columns += [
            "household_number", "group_name", "phone_encrypted", "categories", "last_tier", "government_paid",
            "pension_paid", "medical_paid", "paid", "paid_on", "means", "medical_voucher", "pension_voucher",
        ]  # fmt: skip
    lines = lines_of(roster).values(*columns).iterator(chunk_size=BLOCK)
    for line in lines:
        sealed = line.pop("number_encrypted")
        number = keys.decrypt(sealed) if sealed else ""
        if not whole:
            yield line | {"tail": number[-4:]}
            continue
        sealed = line.pop("phone_encrypted")
        phone = keys.decrypt(sealed) if sealed else ""
        line["number"] = number if detail.numbers else mask_number(number, Audience.TABLET)
        line["phone"] = phone if detail.phones else mask_phone(phone)
        line["means"] = means.get(line["means"], line["means"])
        vouchers = (line.pop("medical_voucher"), line.pop("pension_voucher"))
        line["voucher"] = " ".join(filter(None, vouchers))
        line["total"] = line["personal"] + line["government_paid"]
        yield line


def export_workbook(*, by: Any, roster: Roster) -> bytes:
    """One unit's workbook for whoever asks, audited; ID numbers and phones as the post may see them."""
    detail = Detail.of_role(by.role)
    buffer = io.BytesIO()
    with transaction.atomic():
        write_roster(buffer, roster, detail=detail, watermark=_watermark(by))
        _record(by, roster.plan, roster.kind, [roster], detail)
    return buffer.getvalue()


def export_zip(
    *,
    by: Any,
    plan: CollectionPlan,
    kind: str,
    rosters: Sequence[Roster],
    out: Path,
    detail: Detail,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write the workbooks of ``rosters`` into one zip, a folder per township, and rename it into place.

    ``rosters`` come with plan, township and unit, in order. Nothing stands at ``out`` before everything is in it.
    """
    started = time.perf_counter()
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    watermark, lines = _watermark(by), 0
    try:
        with transaction.atomic(), draft.open("wb") as file:
            # Workbooks are compressed already; deflating them again costs time and saves nothing.
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for done, roster in enumerate(rosters, start=1):
                    buffer = io.BytesIO()
                    lines += write_roster(buffer, roster, detail=detail, watermark=watermark)
                    archive.writestr(_entry(roster), buffer.getvalue())
                    report(done, len(rosters))
            file.flush()
            os.fsync(file.fileno())
            _record(by, plan, kind, rosters, detail)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return Exported(
        workbooks=len(rosters),
        lines=lines,
        bytes=out.stat().st_size,
        seconds=round(time.perf_counter() - started, 2),
        peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def _entry(roster: Roster) -> zipfile.ZipInfo:
    township, unit = roster.township, roster.unit
    folder = safe_name(f"{township.position:02d}-{township.name}")
    name = f"{folder}/{unit.position:03d}-{workbook_name(roster)}"
    return zipfile.ZipInfo(name, date_time=timezone.localtime(roster.sealed_at).timetuple()[:6])


def _watermark(by: Any) -> str:
    if by is None:
        return ""
    return f"{by.get_username()} {timezone.localtime():%Y-%m-%d %H:%M}"


def _record(by: Any, plan: CollectionPlan, kind: str, rosters: Sequence[Roster], detail: Detail) -> None:
    one = rosters[0] if len(rosters) == 1 else None
    record(
        by=by, action="roster.export", target_kind="roster" if one else "plan", target=one.pk if one else plan.code,
        county_code=plan.county.code,
        detail={
            "plan": plan.code, "kind": kind, "workbooks": len(rosters), "lines": sum(r.line_count for r in rosters),
            "units": [r.unit.code for r in rosters][:20], "whole_numbers": detail.numbers,
        },
    )  # fmt: skip
