"""What is paid stays as it was determined, or becomes a difference that everybody sees (reading X27).

For whoever has paid, in the tables of ``pricing``:
1. The answer for the day of the payment, with the groups of that day, is held against the charge that was paid. Where
   it differs the facts of that day turned out otherwise (a list that came late, a birth date corrected): less is due by
   ``refund.charged_before_list``, more by ``waiver.lost_after_payment``.
2. Where it does not, today's groups are asked: who gained one after paying is treated by ``waiver.late_entrants``, who
   lost one keeps what he paid.
3. Under an amendment the two plans are held against each other, and ``plan.amendment_for_paid`` decides. The dead are
   asked for nothing more, and whom something else has left as paid or put to review is left there.
4. Death between payment and cover goes by ``refund.death_before_cover``; whom the answer now refuses, to review.
Where the amount stays, cover that would begin earlier is given, cover that would begin later is not taken.

Each outcome is a row of ``PaidDifference``. A correction is the next version of the charge, whole: what is open on it is
collected like any other money; a refund is a case on the payment. An answer that is again what was paid ends the row,
and takes a correction back whose money has not moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _

from contributions.models import (
    CORRECTED,
    CaseKind,
    DifferenceCause,
    DifferenceOutcome,
    PaidDifference,
)
from contributions.services.pricing import (
    COPIED,
    PAID_ANSWERS,
    PAID_COMPARED,
    PAYMENTS,
    Run,
    answer_payments,
    chargeable,
    differs,
    find_payments,
    other_payers,
    value,
)
from subsidies.rules.settings import Settings

CHANGES: Final = "paid_changes"

# Refusals of a payment that had their own case when the money came; they say nothing new of the person.
_OF_PAYMENT: Final = (
    "route_closed",
    "out_of_period",
    "after_coverage_year",
    "no_cover_left",
    "tier_not_chosen",
)

_K, _C, _R = DifferenceOutcome.KEEP, DifferenceOutcome.COLLECT, DifferenceOutcome.REFUND
_V, _A, _B = DifferenceOutcome.REVIEW, DifferenceOutcome.APPLY, DifferenceOutcome.RESTORE


@dataclass
class Differences:
    """How many differences of a run were kept, corrected, and put to review."""

    kept: int = 0
    corrected: int = 0
    to_review: int = 0


def find_differences(cursor: Any, run: Run) -> bool:
    """Fill ``CHANGES`` with whoever has paid and whose answer differs. False where nobody has paid anything."""
    cursor.execute(f"DROP TABLE IF EXISTS {CHANGES}")
    if (run.few and not _any(cursor, run, _PAID)) or not find_payments(cursor, run):
        return False
    amending = run.before is not None
    answer_payments(cursor, run, now=not amending)
    run.execute(cursor, _find(run.book.settings, amending=amending))
    if run.only is not None:
        run.execute(cursor, f"DELETE FROM {CHANGES} WHERE township_id <> %(only)s", only=run.only)
    return True


# Most people whose facts are corrected have paid nothing yet: one look by index tells.
_PAID: Final = (
    "enrollment_registration g ON g.resident_id = r.id AND g.insurance = %(insurance)s"
    " AND g.coverage_year = %(year)s JOIN contributions_paymentline l ON l.registration_id = g.id"
)
_STANDING: Final = f"{PaidDifference._meta.db_table} s ON s.resident_id = r.id AND s.standing"


def _any(cursor: Any, run: Run, joined: str) -> bool:
    """Whether a few people have such a row at all."""
    run.execute(
        cursor, f"SELECT EXISTS (SELECT 1 FROM enrollment_resident r JOIN {joined} WHERE true {run.where})"
    )
    return bool(cursor.fetchone()[0])


def _find(settings: Settings, *, amending: bool) -> str:
    """One row a difference: the charge, the answer (its columns), the verdict and the outcome."""
    refused = f"NOT {chargeable('p')} AND coalesce(p.reason, '') NOT IN ({_listed(_OF_PAYMENT)})"
    died = "r.death_date > d.paid_on AND c.benefit_start IS NOT NULL AND r.death_date < c.benefit_start AND d.paid > 0"
    # Who was refunded for a group gained later is held against the groups of today from then on.
    anchored = "coalesce(s.cause = 'later' AND s.charge_after_id = c.id, false)"
    # An amendment also moves who pays the government's part, which no column of the charge shows.
    changed = differs("c", "p", PAID_COMPARED) + (f" OR {other_payers('c', 'p')}" if amending else "")
    # Whom something else has left as paid, or put to review, an amendment leaves there.
    unsettled = (
        " AND (s.id IS NULL OR s.charge_after_id IS NOT NULL OR s.cause = 'amendment')" if amending else ""
    )
    verdicts = [
        (f"p.subject IS NOT NULL AND {refused}", DifferenceCause.NOT_ACCEPTED),
        (f"{chargeable('p')} AND ({changed}){unsettled}", "amendment" if amending else DifferenceCause.FACTS),
        (f"{chargeable('q')} AND q.personal_amount <> c.personal_amount", DifferenceCause.LATER),
    ]
    if not amending:
        verdicts.insert(0, (died, DifferenceCause.DEATH))
    cases = " ".join(f"WHEN {test} THEN '{cause}'" for test, cause in verdicts)
    return f"""
        CREATE TEMPORARY TABLE {CHANGES} ON COMMIT DROP AS
        SELECT v.*, CASE WHEN v.outcome = '{_V}' OR (v.outcome = '{_R}' AND v.cause = 'death') THEN v.paid
                         WHEN v.outcome = '{_R}' THEN greatest(v.paid - v.personal_after, 0) ELSE 0 END AS refund,
               CASE WHEN v.outcome = '{_C}' THEN greatest(v.personal_after - v.paid, 0) ELSE 0 END AS owed,
               NULL::bigint AS new_charge, NULL::bigint AS new_case
        FROM (
            SELECT k.*, CASE WHEN k.cause IN ('death', 'not_accepted') THEN k.personal_before
                             ELSE {value("personal_amount", "k")} END AS personal_after,
                   {_outcome(settings)} AS outcome, {_setting()} AS setting
            FROM (
                SELECT e.registration_id, e.resident_id, e.charge_id, e.version, e.household_id, e.age, e.township_id,
                       e.unit_id, e.tier, e.paid, e.paid_on, e.entitled_on, e.route, e.payment_id, e.cause,
                       e.personal_before, e.government_before, e.start_before, e.standing_id, e.restorable,
                       e.determined, e.by_version, e.dead, a.*
                FROM (
                    SELECT d.registration_id, d.resident_id, d.charge_id, c.version, c.household_id, c.age,
                           c.township_id, c.unit_id, d.tier, d.paid, d.paid_on, d.entitled_on, d.route, d.payment_id,
                           c.personal_amount AS personal_before, c.government_paid_amount AS government_before,
                           c.benefit_start AS start_before, s.id AS standing_id,
                           s.outcome IN ('{_C}', '{_R}') AND s.charge_after_id IS NOT NULL
                               AND (s.case_id IS NULL OR t.state = 'open') AND d.paid <= s.paid AS restorable,
                           s.personal_before AS determined, r.death_date IS NOT NULL AS dead,
                           {"%(version)s" if amending else "d.priced_by"} AS by_version, {anchored} AND d.later AS by_today,
                           CASE {cases} END AS cause
                    FROM {PAYMENTS} d JOIN contributions_charge c ON c.id = d.charge_id
                    JOIN enrollment_resident r ON r.id = d.resident_id
                    LEFT JOIN {PaidDifference._meta.db_table} s ON s.registration_id = d.registration_id AND s.standing
                    LEFT JOIN {PAID_ANSWERS} p ON p.subject = d.resident_id
                        AND p.moment = CASE WHEN {anchored} AND d.later THEN 'now' ELSE 'then' END
                    LEFT JOIN {PAID_ANSWERS} q ON q.subject = d.resident_id AND q.moment = 'now' AND NOT {anchored}
                    LEFT JOIN contributions_paymentcase t ON t.id = s.case_id
                ) e
                LEFT JOIN {PAID_ANSWERS} a ON a.subject = e.resident_id
                    AND a.moment = CASE WHEN e.cause = 'later' OR e.by_today THEN 'now' ELSE 'then' END
                WHERE e.cause IS NOT NULL
            ) k
        ) v
    """


def _outcome(settings: Settings) -> str:
    """SQL of what happens, by cause and by whether the resident would owe more, less or the same."""
    more, less = "k.personal_amount > k.personal_before", "k.personal_amount < k.personal_before"
    later = "coalesce(k.benefit_start, 'infinity') > k.start_before"
    settles = settings.choice("plan.amendment_for_paid") == "settle"
    when = [
        ("k.cause = 'death'", settings.choice("refund.death_before_cover")),
        ("k.cause = 'not_accepted'", _V),
        ("k.restorable AND k.personal_amount = k.determined", _B),
        (f"k.personal_amount = k.personal_before AND {later}", _K),
        ("k.personal_amount = k.personal_before", _A),
        (f"k.cause = 'amendment' AND {more} AND k.dead", _K),
        (f"k.cause = 'amendment' AND {more}", _C if settles else _K),
        (f"k.cause = 'amendment' AND {less}", _R if settles else _K),
        (f"k.cause = 'later' AND {less}", _R if settings.choice("waiver.late_entrants") == "refund" else _K),
        ("k.cause = 'later'", _K),
        (less, settings.choice("refund.charged_before_list")),
        (more, _C if settings.choice("waiver.lost_after_payment") == "collect" else _K),
    ]
    return f"CASE {' '.join(f'WHEN {test} THEN {_quoted(outcome)}' for test, outcome in when)} END"


def _setting() -> str:
    """SQL of the name of the setting that decided; empty where none did."""
    less = "k.personal_amount < k.personal_before"
    when = [
        ("k.cause = 'death'", "refund.death_before_cover"),
        ("k.cause = 'not_accepted' OR k.personal_amount = k.personal_before", ""),
        ("k.restorable AND k.personal_amount = k.determined", ""),
        ("k.cause = 'amendment'", "plan.amendment_for_paid"),
        (f"k.cause = 'later' AND {less}", "waiver.late_entrants"),
        ("k.cause = 'later'", ""),
        (less, "refund.charged_before_list"),
    ]
    tests = " ".join(f"WHEN {test} THEN {_quoted(name)}" for test, name in when)
    return f"CASE {tests} ELSE 'waiver.lost_after_payment' END"


def _listed(words: Any) -> str:
    return ", ".join(_quoted(word) for word in words)


def _quoted(word: Any) -> str:
    return f"'{word}'"


def write_differences(cursor: Any, run: Run, today: date, amendment: int | None = None) -> Differences:
    """Make ``CHANGES`` true: rows, corrections, shares, cases; what is told already is left alone.

    Where nothing is filtered (no amendment) rows of the run's people that no longer differ are ended.
    """
    found = Differences()
    told = PaidDifference._meta.db_table
    run.execute(
        cursor,
        f"SELECT count(*) FILTER (WHERE outcome = '{_K}'), count(*) FILTER (WHERE outcome IN ({_listed(CORRECTED)})),"
        f" count(*) FILTER (WHERE outcome = '{_V}') FROM {CHANGES}",
    )
    found.kept, found.corrected, found.to_review = cursor.fetchone()
    if run.before is None:
        _end_gone(cursor, run)
    leave_told(cursor, run)
    run.execute(
        cursor,
        f"UPDATE {told} s SET standing = false,"
        f" ended = CASE WHEN w.outcome = '{_B}' THEN 'restored' ELSE 'superseded' END"
        f" FROM {CHANGES} w WHERE s.id = w.standing_id",
    )
    _close_cases(cursor, run, f"SELECT s.case_id FROM {CHANGES} w JOIN {told} s ON s.id = w.standing_id")
    _write_corrections(cursor, run)
    _write_cases(cursor, run)
    _write_rows(cursor, run, today, amendment)
    cursor.execute(f"DROP TABLE {CHANGES}")
    return found


def leave_told(cursor: Any, run: Run) -> None:
    """Take out of ``CHANGES`` what a standing row says already."""
    run.execute(
        cursor,
        f"DELETE FROM {CHANGES} w USING {PaidDifference._meta.db_table} s WHERE s.id = w.standing_id"
        " AND s.outcome = w.outcome AND s.cause = w.cause AND s.charge_before_id = w.charge_id"
        " AND s.personal_after = w.personal_after AND s.benefit_start_after IS NOT DISTINCT FROM w.benefit_start",
    )


def _end_gone(cursor: Any, run: Run, *, paid: bool = True) -> None:
    """Rows that left the charge as paid end when the answer is what was paid again, or nothing is paid any more.

    Whom an amendment kept is held to the text that priced him, by which nothing differs: his row stands.
    """
    told = PaidDifference._meta.db_table
    kept = f" AND NOT (s.cause = 'amendment' AND EXISTS (SELECT 1 FROM {PAYMENTS} d WHERE d.charge_id = s.charge_before_id))"
    run.execute(
        cursor,
        f"CREATE TEMPORARY TABLE gone_differences ON COMMIT DROP AS SELECT s.id, s.case_id FROM {told} s"
        " JOIN enrollment_resident r ON r.id = s.resident_id"
        " WHERE s.standing AND s.insurance = %(insurance)s AND s.coverage_year = %(year)s AND s.plan_id = %(plan)s"
        f" AND s.charge_after_id IS NULL {run.where}"
        f" AND NOT EXISTS (SELECT 1 FROM {CHANGES} w WHERE w.registration_id = s.registration_id)"
        f"{kept if paid else ''}",
    )
    cursor.execute(
        f"UPDATE {told} s SET standing = false, ended = 'gone' FROM gone_differences g WHERE g.id = s.id"
    )
    _close_cases(cursor, run, "SELECT g.case_id FROM gone_differences g")
    cursor.execute("DROP TABLE gone_differences")


def end_differences(cursor: Any, run: Run) -> None:
    """``_end_gone`` where nobody of the run has paid anything any more."""
    if run.few and not _any(cursor, run, _STANDING):
        return
    cursor.execute(f"CREATE TEMPORARY TABLE {CHANGES} (registration_id bigint) ON COMMIT DROP")
    _end_gone(cursor, run, paid=False)
    cursor.execute(f"DROP TABLE {CHANGES}")


def _close_cases(cursor: Any, run: Run, cases: str) -> None:
    run.execute(
        cursor,
        "UPDATE contributions_paymentcase t SET state = 'closed', outcome = %(outcome)s, closed_at = now()"
        f" WHERE t.state = 'open' AND t.id IN ({cases})",
        outcome=_("核定又有变化，见居民页的已缴差异"),
    )


def _write_corrections(cursor: Any, run: Run) -> None:
    """The next version of the charge, whole, in place of the paid one; its payers get their shares."""
    run.execute(
        cursor,
        f"UPDATE {CHANGES} SET new_charge = nextval(pg_get_serial_sequence('contributions_charge', 'id'))"
        f" WHERE outcome IN ({_listed(CORRECTED)}) AND cause IN ('facts', 'later', 'amendment')",
    )
    run.execute(
        cursor,
        "UPDATE contributions_charge c SET current = false"
        f" FROM {CHANGES} w WHERE w.new_charge IS NOT NULL AND c.id = w.charge_id",
    )
    columns = ", ".join(COPIED)
    values = ", ".join(value(column, "w") for column in COPIED)
    run.execute(
        cursor,
        f"INSERT INTO contributions_charge (id, registration_id, resident_id, household_id, plan_id, plan_version,"
        f" insurance, coverage_year, for_year, kind, version, current, township_id, unit_id, tier, age, priced_on,"
        f" {columns})"
        f" SELECT w.new_charge, w.registration_id, w.resident_id, w.household_id, %(plan)s, w.by_version, %(insurance)s,"
        f" %(year)s, %(year)s, 'ordinary', w.version + 1, true, w.township_id, w.unit_id, w.tier, w.age, w.paid_on,"
        f" {values}"
        f" FROM {CHANGES} w WHERE w.new_charge IS NOT NULL",
    )
    run.execute(
        cursor,
        "INSERT INTO contributions_chargeshare (charge_id, payer, amount, rule, township_id, unit_id)"
        f" SELECT w.new_charge, p.payer, p.amount, w.waiver_code, w.township_id, w.unit_id FROM {CHANGES} w"
        " CROSS JOIN LATERAL (VALUES (w.payer_1, w.amount_1), (w.payer_2, w.amount_2)) p (payer, amount)"
        " WHERE w.new_charge IS NOT NULL AND p.payer IS NOT NULL AND p.amount > 0",
    )


def _write_cases(cursor: Any, run: Run) -> None:
    """A case on the payment for money to give back, and for what somebody must look at."""
    run.execute(
        cursor,
        f"UPDATE {CHANGES} SET new_case = nextval(pg_get_serial_sequence('contributions_paymentcase', 'id'))"
        f" WHERE refund > 0 AND outcome IN ('{_R}', '{_V}')",
    )
    run.execute(
        cursor,
        f"""
        INSERT INTO contributions_paymentcase (id, township_id, unit_id, kind, payment_id, registration_id, amount,
            detail, state, outcome)
        SELECT w.new_case, w.township_id, w.unit_id,
               CASE WHEN w.outcome = '{_R}' THEN '{CaseKind.REFUND_DUE}' WHEN w.cause = 'death'
                    THEN '{CaseKind.DECEASED}' WHEN w.cause = 'not_accepted' THEN '{CaseKind.NOT_ACCEPTED}'
                    ELSE '{CaseKind.PAID_DIFFERS}' END,
               w.payment_id, w.registration_id, w.refund,
               jsonb_build_object('cause', w.cause, 'paid', w.paid::text, 'due', w.personal_after::text),
               'open', ''
        FROM {CHANGES} w WHERE w.new_case IS NOT NULL
        """,
    )


def _write_rows(cursor: Any, run: Run, today: date, amendment: int | None) -> None:
    run.execute(
        cursor,
        f"""
        INSERT INTO {PaidDifference._meta.db_table} (township_id, unit_id, registration_id, resident_id, plan_id,
            plan_version, insurance, coverage_year, cause, outcome, setting, amendment, charge_before_id,
            charge_after_id, payment_id, case_id, paid_on, paid, personal_before, personal_after, difference,
            government_before, government_after, benefit_start_before, benefit_start_after, reason_after, refund, owed,
            found_on, standing, ended)
        SELECT w.township_id, w.unit_id, w.registration_id, w.resident_id, %(plan)s, w.by_version, %(insurance)s,
               %(year)s, w.cause, w.outcome, w.setting, %(amendment)s, w.charge_id, w.new_charge, w.payment_id,
               w.new_case, w.paid_on, w.paid, w.personal_before, w.personal_after,
               w.personal_after - w.personal_before, w.government_before,
               coalesce(w.government_paid_amount, 0), w.start_before, w.benefit_start, coalesce(w.reason, ''),
               w.refund, w.owed, %(today)s, true, ''
        FROM {CHANGES} w
        """,
        today=today,
        amendment=amendment,
    )
