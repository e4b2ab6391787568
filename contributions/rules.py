"""Pure rules of money, bands and requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

# Age bands of the figures (口径): 45 counts in 45–59 (reading B-000-01).
BANDS = ("0-15", "16-44", "45-59", "60-69", "70+")


def band_of(age: int | None) -> str:
    """The band of an age at the plan's reference date; an unknown age counts as a child's."""
    if age is None or age <= 15:
        return "0-15"
    if age <= 44:
        return "16-44"
    if age <= 59:
        return "45-59"
    return "60-69" if age <= 69 else "70+"


# The same bands for set-based counting; {age} is a column of a query.
BAND_SQL = (
    "CASE WHEN {age} IS NULL OR {age} <= 15 THEN '0-15' WHEN {age} <= 44 THEN '16-44' "
    "WHEN {age} <= 59 THEN '45-59' WHEN {age} <= 69 THEN '60-69' ELSE '70+' END"
)


def same_price_period(windows: Sequence[tuple[date, date | None]], one: date, other: date) -> bool:
    """Whether two days lie between the same days on which a price may change.

    ``windows`` are (first day, last day) of the plan's payment periods; a price can change on a first day and on the
    day after a last one.
    """
    edges = {first for first, _last in windows} | {
        last + timedelta(days=1) for _first, last in windows if last
    }
    return all((one < edge) == (other < edge) for edge in edges)


@dataclass(frozen=True)
class FundingStep:
    """A step of a request for government money: from which states, to which, and who takes it.

    ``by`` is the applicant, the office that applies jointly, or a post (a role).
    """

    leaves: frozenset[str]
    reaches: str
    by: frozenset[str]


APPLICANT: Final = "applicant"
JOINT: Final = "joint"

# An amendment: its text comes into force at once, its charges township by township.
AMENDMENT_STEPS: Final[Mapping[str, frozenset[str]]] = {
    "written": frozenset({"taking", "withdrawn"}),
    "taking": frozenset({"in_force"}),
    "in_force": frozenset(),
    "withdrawn": frozenset(),
}

# draft → submitted → approved → disbursed → billed → settled; back by returned, out by withdrawn.
FUNDING_STEPS: Final[Mapping[str, FundingStep]] = {
    "submit": FundingStep(frozenset({"draft", "returned"}), "submitted", frozenset({APPLICANT})),
    "join": FundingStep(frozenset({"submitted"}), "submitted", frozenset({JOINT})),
    "approve": FundingStep(frozenset({"submitted"}), "approved", frozenset({"finance_bureau"})),
    "return": FundingStep(frozenset({"submitted", "approved"}), "returned", frozenset({"finance_bureau"})),
    "withdraw": FundingStep(
        frozenset({"draft", "submitted", "returned"}), "withdrawn", frozenset({APPLICANT})
    ),
    "disburse": FundingStep(frozenset({"approved"}), "disbursed", frozenset({"finance_bureau"})),
    "bill": FundingStep(frozenset({"disbursed"}), "billed", frozenset({"medical_bureau", "hr_bureau"})),
    "settle": FundingStep(frozenset({"disbursed", "billed"}), "settled", frozenset({"finance_bureau"})),
}

# The post behind an office that applies; any other kind of office is a department with its own account.
POSTS: Final[Mapping[str, str]] = {
    "medical": "medical_bureau",
    "hr": "hr_bureau",
    "tax": "tax_bureau",
    "finance": "finance_bureau",
}


def post_acts_for(role: str, agency: str, office: str) -> bool:
    """Whether a post (with the kind of its own agency) acts for an office of a kind."""
    if office in POSTS:
        return role == POSTS[office]
    return bool(office) and role == "department" and agency == office


def takes_step(act: str, *, role: str, agency: str, applicant: str, joint: str) -> bool:
    """Whether somebody may take a step of a request, whatever state it is in."""
    by = FUNDING_STEPS[act].by
    return (
        role in by
        or (APPLICANT in by and post_acts_for(role, agency, applicant))
        or (JOINT in by and post_acts_for(role, agency, joint))
    )
