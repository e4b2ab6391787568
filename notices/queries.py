"""What a posting shows, and the postings of a place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from django.db import connection

from enrollment.models import CollectionPlan
from notices.models import PostedPaper, Posting
from rosters.models import Roster, RosterKind
from townships.models import Township, User

# Households of a payment roster for one insurance. A person is due when the insurance is on the line, and has paid
# when nothing of the personal part is open: for whom the government pays it counts as paid, so that no row gives a
# category away. A household that owes and has paid nothing is left out here, in SQL, and never reaches a paper.
# A head below 18 is not named: children count in the figures alone.
HOUSEHOLDS = """
SELECT group_name,
       CASE WHEN bool_or(age < 18 AND name = head_name) THEN '' ELSE head_name END AS head,
       count(*) AS due,
       count(*) FILTER (WHERE coalesce({insurance}_paid, 0) >= {insurance}_personal) AS paid,
       coalesce(max({insurance}_voucher COLLATE "C"), '') AS voucher,
       household_number
FROM rosters_rosterline
WHERE roster_id = %s AND {insurance}_personal IS NOT NULL
GROUP BY group_name, household_number, head_name
HAVING coalesce(sum({insurance}_paid), 0) > 0 OR sum({insurance}_personal) = 0
ORDER BY min(position)
"""


@dataclass(frozen=True)
class PostedHousehold:
    """A row of a posted payment list. ``tail`` is the end of the voucher, or a check number where there is none."""

    group: str
    head: str
    due: int
    paid: int
    tail: str


def posted_households(roster: Roster, insurance: str) -> list[PostedHousehold]:
    """The households a payment posting lists for an insurance, in the roster's order. One query."""
    if insurance not in roster.plan.insurances:
        raise ValueError(f"the plan does not collect {insurance}")
    with connection.cursor() as cursor:
        cursor.execute(HOUSEHOLDS.format(insurance=insurance), [roster.pk])
        rows = cursor.fetchall()
    return [
        PostedHousehold(
            group=group.removesuffix("组"),
            head=head or "＊",
            due=due,
            paid=paid,
            tail=voucher[-4:] if voucher else check_number(roster.digest, household),
        )
        for group, head, due, paid, voucher, household in rows
    ]


def check_number(digest: str, household: str) -> str:
    """Four digits for a household without a voucher, from the sealed roster and the household's number.

    A blank would tell who is paid for by the government; these look like any voucher's end.
    """
    return f"{int(hashlib.sha256(f'{digest}|{household}'.encode()).hexdigest(), 16) % 10_000:04d}"


@dataclass
class PostingRow:
    """A unit's payment roster on the page of postings."""

    roster: Roster
    posting: Posting | None
    state: str

    @property
    def has_newer(self) -> bool:
        """Whether what hangs is an older version than the latest."""
        return self.posting is not None and self.posting.roster_id != self.roster.pk


def posting_state(posting: PostedPaper | None, today: date) -> str:
    """``none`` → ``planned`` → ``late`` (days began, not put up) → ``open`` → ``overdue`` (hangs on) → ``closed``."""
    if posting is None:
        return "none"
    if posting.removed_on is not None:
        return "closed"
    if posting.posted_on is None:
        return "planned" if today < posting.opens_on else "late"
    return "open" if today <= posting.closes_on else "overdue"


def posting_rows(user: User, plan: CollectionPlan, township: Township, today: date) -> list[PostingRow]:
    """The latest payment roster of every unit that has one, with its newest posting; two queries."""
    rosters = (
        Roster.objects.visible_to(user)
        .filter(plan=plan, township=township, kind=RosterKind.PAYMENT, insurance="")
        .order_by("unit__position", "unit__code", "-version")
        .distinct("unit__position", "unit__code")
        .select_related("unit")
    )
    postings = {
        posting.unit_id: posting
        for posting in Posting.objects.visible_to(user)
        .filter(township=township, roster__plan=plan)
        .select_related("roster")
        .order_by("roster__version")
    }
    return [
        PostingRow(roster, found := postings.get(roster.unit_id), posting_state(found, today))
        for roster in rosters
    ]
