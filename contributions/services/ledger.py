"""Prove the money: every sum that must agree, and the residual that must be 0.00."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

# Each query counts rows that break a rule; the rule is the name.
CHECKS = {
    "received_is_lines_and_excess": """
        SELECT count(*) FROM contributions_payment p
        LEFT JOIN (SELECT payment_id, sum(amount) AS total FROM contributions_paymentline GROUP BY 1) l
          ON l.payment_id = p.id
        WHERE p.received <> coalesce(l.total, 0) + p.excess OR p.allocated <> coalesce(l.total, 0)""",
    "reversals_mirror_their_payment": """
        SELECT count(*) FROM contributions_payment r JOIN contributions_payment p ON p.id = r.reverses_id
        WHERE r.received <> -p.received OR r.allocated <> -p.allocated OR r.excess <> -p.excess""",
    "charge_parts_add_up": """
        SELECT count(*) FROM contributions_charge
        WHERE total_amount <> personal_amount + government_paid_amount + fiscal_subsidy_amount""",
    "shares_are_the_government_paid_part": """
        SELECT count(*) FROM contributions_charge c
        LEFT JOIN (SELECT charge_id, sum(amount) AS total FROM contributions_chargeshare GROUP BY 1) s
          ON s.charge_id = c.id
        WHERE c.government_paid_amount <> coalesce(s.total, 0)""",
    "one_current_charge": """
        SELECT count(*) FROM (SELECT 1 FROM contributions_charge WHERE current
        GROUP BY registration_id, kind, for_year HAVING count(*) > 1) d""",
    "nobody_below_zero": """
        SELECT count(*) FROM (SELECT 1 FROM contributions_paymentline
        GROUP BY registration_id HAVING sum(amount) < 0) d""",
    "excess_has_a_case": """
        SELECT count(*) FROM contributions_payment p
        WHERE p.excess > 0 AND NOT EXISTS (SELECT 1 FROM contributions_paymentcase c WHERE c.payment_id = p.id)""",
    "requests_are_their_lines": """
        SELECT count(*) FROM contributions_fundingrequest r
        LEFT JOIN (SELECT request_id, count(*) AS heads, sum(amount) AS total FROM contributions_fundingline GROUP BY 1) l
          ON l.request_id = r.id
        WHERE r.amount <> coalesce(l.total, 0) OR r.heads <> coalesce(l.heads, 0)""",
    "lines_are_shares": """
        SELECT count(*) FROM contributions_fundingline f
        JOIN contributions_fundingrequest r ON r.id = f.request_id
        LEFT JOIN (SELECT charge_id, payer, sum(amount) AS total FROM contributions_chargeshare GROUP BY 1, 2) s
          ON s.charge_id = f.charge_id AND s.payer = f.payer
        WHERE f.amount IS DISTINCT FROM s.total OR f.payer <> r.payer""",
    "asked_for_once": """
        SELECT count(*) FROM (SELECT 1 FROM contributions_fundingline WHERE live
        GROUP BY registration_id, payer, charge_kind, for_year HAVING count(*) > 1) d""",
    "paid_out_requests_are_paid": """
        SELECT count(*) FROM contributions_fundingline f JOIN contributions_fundingrequest r ON r.id = f.request_id
        LEFT JOIN contributions_paymentline l ON l.funding_line_id = f.id
        WHERE r.state IN ('disbursed', 'billed', 'settled') AND l.amount IS DISTINCT FROM f.amount""",
    "government_money_was_asked_for": """
        SELECT count(*) FROM contributions_paymentline l
        LEFT JOIN contributions_fundingline f ON f.id = l.funding_line_id
        LEFT JOIN contributions_fundingrequest r ON r.id = f.request_id
        WHERE l.part = 'government' AND (f.id IS NULL OR NOT f.live OR l.amount <> f.amount
          OR l.registration_id <> f.registration_id OR r.disbursed_on IS NULL)""",
    "settlements_add_up": """
        SELECT count(*) FROM contributions_fundingdifference d JOIN contributions_fundingline f ON f.id = d.line_id
        WHERE d.difference <> d.actual - f.amount""",
    "sponsors_pay_what_they_pledged": """
        SELECT count(*) FROM contributions_pledge g
        JOIN (SELECT pledge_id, sum(amount) AS total FROM contributions_paymentline WHERE pledge_id IS NOT NULL GROUP BY 1) l
          ON l.pledge_id = g.id WHERE l.total > g.amount OR l.total < 0""",
    # What is paid changes only in the open: a version in its place has the row that says why.
    "paid_charges_change_openly": """
        SELECT count(*) FROM contributions_charge c
        WHERE c.current AND c.version > 1
          AND NOT EXISTS (SELECT 1 FROM contributions_paiddifference d WHERE d.charge_after_id = c.id)
          AND EXISTS (SELECT 1 FROM contributions_paymentline l JOIN contributions_charge o ON o.id = l.charge_id
            WHERE l.registration_id = c.registration_id AND l.part <> 'government' AND o.kind = c.kind
              AND o.for_year = c.for_year AND o.id <> c.id AND o.personal_amount <> c.personal_amount
            GROUP BY o.id HAVING sum(l.amount) > 0)""",
    "paid_beyond_what_is_due_is_told": """
        SELECT count(*) FROM contributions_charge c
        JOIN (SELECT registration_id, sum(amount) AS paid FROM contributions_paymentline WHERE part <> 'government'
              GROUP BY 1) l ON l.registration_id = c.registration_id
        WHERE c.current AND c.kind = 'ordinary' AND l.paid > c.personal_amount
          AND NOT EXISTS (SELECT 1 FROM contributions_paiddifference d
            WHERE d.registration_id = c.registration_id AND d.refund > 0)""",
    "differences_to_settle_have_a_case": """
        SELECT count(*) FROM contributions_paiddifference d
        LEFT JOIN contributions_paymentcase t ON t.id = d.case_id WHERE d.refund > 0 AND t.id IS NULL""",
    "confirmed_amounts_agree": """
        SELECT count(*) FROM contributions_taxentry t JOIN contributions_paymentline l ON l.id = t.payment_line_id
        WHERE t.amount <> l.amount AND NOT EXISTS (
          SELECT 1 FROM contributions_paymentcase c WHERE c.payment_id = l.payment_id)""",
}


@dataclass(frozen=True)
class LedgerProof:
    """Residual in yuan and, by check, how many rows break it."""

    residual: Decimal
    broken: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether the ledger adds up."""
        return self.residual == 0 and not any(self.broken.values())


def verify_ledger() -> LedgerProof:
    """Check everything the running scope can see (a command opens whole counties)."""
    broken = {}
    with connection.cursor() as cursor:
        for name, query in CHECKS.items():
            cursor.execute(query)
            row = cursor.fetchone()
            assert row is not None
            broken[name] = int(row[0])
        cursor.execute(
            "SELECT coalesce((SELECT sum(received - excess) FROM contributions_payment), 0)"
            " - coalesce((SELECT sum(amount) FROM contributions_paymentline), 0)"
        )
        row = cursor.fetchone()
    assert row is not None
    return LedgerProof(Decimal(row[0]).quantize(Decimal("0.01")), broken)
