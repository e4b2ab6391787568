"""The change set of an amendment for one township: found, held against what was shown, stored.

It is what ``assess`` would write under the new text for those whom the two texts answer otherwise, found by the same
statements: preview and effect cannot differ but by facts that moved between them, and the digest tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import transaction

from contributions.models import Amendment, AmendmentLine, AmendmentSum
from contributions.services.assess import CHARGES, find_changes, narrow, units_elsewhere
from contributions.services.differences import CHANGES, leave_told
from contributions.services.pricing import Run, payers, priced
from enrollment.models import CollectionPlan
from foundation.bulk import bulk_settings
from foundation.scope.context import with_units
from subsidies.rules.plan import Plan

LINES: Final = "amendment_lines"

_COLUMNS: Final = (
    "township_id", "unit_id", "registration_id", "resident_id", "outcome", "charge_id", "paid", "paid_on",
    "personal_before", "personal_after", "others_before", "others_after", "payers_after", "benefit_start_before",
    "benefit_start_after", "owed", "refund",
)  # fmt: skip
_OTHERS: Final = (
    "government_paid_amount",
    "fiscal_subsidy_amount",
    "pension_government_subsidy",
    "family_planning_subsidy",
)


@dataclass(frozen=True)
class Texts:
    """The two texts of an amendment and the row that registrations name."""

    plan: CollectionPlan
    before: Plan
    after: Plan


@contextmanager
def township_changes(texts: Texts, township: int, day: date) -> Iterator[Iterator[tuple[Run, Any, bool]]]:
    """One after the other (run, cursor, whether anybody has paid) for each insurance, with the changes found.

    One transaction, under the scope of every place where the township's people live or are registered.
    """
    elsewhere = units_elsewhere(texts.plan, [township], None, None)
    with transaction.atomic(), with_units(elsewhere), bulk_settings():
        yield _insurances(texts, township, day)


def _insurances(texts: Texts, township: int, day: date) -> Iterator[tuple[Run, Any, bool]]:
    for insurance in texts.after.insurances:
        where, parameters = narrow(texts.plan, insurance, [township], None, None)
        run = Run(
            plan=texts.plan, book=texts.after, insurance=insurance, day=day, where=where, parameters=parameters,
            few=False, before=texts.before, only=township,
        )  # fmt: skip
        with priced(run) as cursor:
            paid = find_changes(cursor, run)
            if paid:
                leave_told(cursor, run)
            _write_lines(cursor, run, paid=paid)
            yield run, cursor, paid
            cursor.execute(f"DROP TABLE IF EXISTS {LINES}, {CHARGES}, {CHANGES}")


def _sum(alias: str) -> str:
    return " + ".join(f"coalesce({alias}.{column}, 0)" for column in _OTHERS)


def _write_lines(cursor: Any, run: Run, *, paid: bool) -> None:
    """The changes found as lines, in a temporary table."""
    cursor.execute(f"DROP TABLE IF EXISTS {LINES}")
    nothing = "w.chargeable"
    unpaid = f"""
        SELECT w.at_township AS township_id, w.at_unit AS unit_id, w.registration_id, w.subject AS resident_id,
               CASE WHEN NOT {nothing} THEN 'end' WHEN w.replaced IS NULL THEN 'begin' ELSE 'reprice' END AS outcome,
               w.replaced AS charge_id, 0::numeric(12,2) AS paid, NULL::date AS paid_on,
               coalesce(c.personal_amount, 0) AS personal_before,
               CASE WHEN {nothing} THEN coalesce(w.personal_amount, 0) ELSE 0 END AS personal_after,
               {_sum("c")} AS others_before, CASE WHEN {nothing} THEN {_sum("w")} ELSE 0 END AS others_after,
               CASE WHEN {nothing} THEN coalesce({payers("w")}, '') ELSE '' END AS payers_after,
               c.benefit_start AS benefit_start_before,
               CASE WHEN {nothing} THEN w.benefit_start END AS benefit_start_after,
               0::numeric(12,2) AS owed, 0::numeric(12,2) AS refund
        FROM {CHARGES} w LEFT JOIN contributions_charge c ON c.id = w.replaced
    """
    settled = f"""
        SELECT w.township_id, w.unit_id, w.registration_id, w.resident_id, w.outcome, w.charge_id, w.paid, w.paid_on,
               w.personal_before, w.personal_after, {_sum("c")},
               CASE WHEN w.cause = 'not_accepted' THEN {_sum("c")} ELSE {_sum("w")} END,
               coalesce({payers("w")}, ''), w.start_before, w.benefit_start, w.owed, w.refund
        FROM {CHANGES} w JOIN contributions_charge c ON c.id = w.charge_id
    """
    run.execute(
        cursor,
        f"CREATE TEMPORARY TABLE {LINES} ON COMMIT DROP AS {unpaid} {f'UNION ALL {settled}' if paid else ''}",
    )


def digest_of(cursor: Any) -> str:
    """The change set of one township and insurance in one value, whatever the order in which it was found."""
    said = ", ".join(_COLUMNS)
    cursor.execute(
        f"SELECT coalesce(md5(string_agg(md5(concat_ws('|', {said})), '' ORDER BY registration_id)), '') FROM {LINES}"
    )
    return str(cursor.fetchone()[0])


def store(cursor: Any, run: Run, amendment: Amendment, **values: Any) -> bool:
    """Keep the lines found for a township and insurance with their sums; whether they differ from those kept."""
    assert run.only is not None
    digest = digest_of(cursor)
    kept = AmendmentSum.objects.filter(
        amendment=amendment, township=run.only, insurance=run.insurance
    ).first()
    if kept is not None and kept.digest == digest:
        if values:
            AmendmentSum.objects.filter(pk=kept.pk).update(**values)
        return False
    lines, columns = AmendmentLine._meta.db_table, ", ".join(_COLUMNS)
    # the whole county is in scope here
    AmendmentLine.objects.filter(amendment=amendment, township=run.only, insurance=run.insurance).delete()
    run.execute(
        cursor,
        f"INSERT INTO {lines} (amendment_id, insurance, {columns})"
        f" SELECT %(amendment)s, %(insurance)s, {columns} FROM {LINES}",
        amendment=amendment.pk,
    )
    AmendmentSum.objects.update_or_create(
        amendment=amendment, township_id=run.only, insurance=run.insurance,
        defaults={**_sums(cursor), "digest": digest, **values},
    )  # fmt: skip
    return True


def _sums(cursor: Any) -> dict[str, Any]:
    counts = {
        "touched": "count(*)",
        "more": "count(*) FILTER (WHERE personal_after > personal_before)",
        "less": "count(*) FILTER (WHERE personal_after < personal_before)",
        "earlier": "count(*) FILTER (WHERE benefit_start_after < benefit_start_before)",
        "later": "count(*) FILTER (WHERE benefit_start_after > benefit_start_before)",
        "begun": "count(*) FILTER (WHERE outcome = 'begin')",
        "ended": "count(*) FILTER (WHERE outcome = 'end')",
        "owing": "count(*) FILTER (WHERE owed > 0)",
        "owed": "coalesce(sum(owed), 0)",
        "repaid": "count(*) FILTER (WHERE outcome = 'refund')",
        "refund": "coalesce(sum(refund) FILTER (WHERE outcome = 'refund'), 0)",
        "kept": "count(*) FILTER (WHERE outcome = 'keep')",
        "reviewed": "count(*) FILTER (WHERE outcome = 'review')",
        "personal_before": "coalesce(sum(personal_before) FILTER (WHERE outcome NOT IN ('keep', 'review')), 0)",
        "personal_after": "coalesce(sum(personal_after) FILTER (WHERE outcome NOT IN ('keep', 'review')), 0)",
        "others_before": "coalesce(sum(others_before) FILTER (WHERE outcome NOT IN ('keep', 'review')), 0)",
        "others_after": "coalesce(sum(others_after) FILTER (WHERE outcome NOT IN ('keep', 'review')), 0)",
    }
    cursor.execute(f"SELECT {', '.join(counts.values())} FROM {LINES}")
    return dict(zip(counts, cursor.fetchone(), strict=True))
