"""The one relation the evaluator reads and the one it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .conditions import (
    FAMILY_KINDS,
    HOUSEHOLD_REGISTRATIONS,
    OTHER_ENROLMENTS,
    RESIDENCE_PERMITS,
    ROUTES,
    SCHOOLS,
    SEXES,
)
from .settings import as_plain
from .source import Entry, Plain

FACT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "subject": "bigint",
        "birth_date": "date",
        "sex": "text",
        "household_registration": "text",
        "residence_permit": "text",
        "in_school": "boolean",
        "school": "text",
        "employee_pension": "boolean",
        "employee_medical": "boolean",
        "categories": "text[]",
        "disability_grade": "integer",
        "family_kind": "text",
        "family_lawful_birth": "boolean",
        "family_wife_birth_date": "date",
        "household_members": "integer",
        "household_enrolled": "integer",
        "household_employee_medical": "integer",
        "missed_years": "integer",
        "repaired_years": "integer",
        "first_enrolment": "boolean",
        "death_date": "date",
        "other_enrolment": "text",
        "tier": "numeric",
        "payment_date": "date",
        "route": "text",
        "certified": "jsonb",
        "registered_on": "date",
    }
)
"""Name and SQL type of every fact, one row per subject; `subject` and `payment_date` are never NULL.

Real people come from a query over the register with the same columns, worked examples and quotes from
`jsonb_to_recordset`. `certified` holds the day of certification by category code, `registered_on` the day of the
registration: only of real people, for whom cover follows these and not the day on which money came (X26). An unknown
fact is NULL: it satisfies no condition (an unknown birth date refers).
"""

RESULT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "subject": "bigint",
        "decision": "text",
        "timing": "text",
        "reason": "text",
        "personal_amount": "numeric(12,2)",
        "government_paid_amount": "numeric(12,2)",
        "fiscal_subsidy_amount": "numeric(12,2)",
        "pension_government_subsidy": "numeric(12,2)",
        "family_planning_subsidy": "numeric(12,2)",
        "total_amount": "numeric(12,2)",
        "standard_code": "text",
        "waiver_code": "text",
        "subsidy_code": "text",
        "family_code": "text",
        "decision_code": "text",
        "payer_1": "text",
        "amount_1": "numeric(12,2)",
        "payer_2": "text",
        "amount_2": "numeric(12,2)",
        "benefit_start": "date",
        "benefit_end": "date",
        "warnings": "text[]",
    }
)
"""The answer, one row per subject. `decision`, `timing`, `decision_code` and `warnings` are never NULL.

Amounts are NULL where the plan gives none (refused, referred without a price, not configured). Wherever they
are given: total = personal + government-paid + fiscal (NULL counts as nothing), and amount_1 + amount_2 =
government-paid. The pension subsidies stand beside the total. Codes name the rule each part comes from:
`standard_code` the standard or tier, `waiver_code` the waiver or government-paid rule, `subsidy_code` the
fiscal or pension subsidy, `family_code` the family-planning rule, `decision_code` what decision and timing
stand on.
"""

_FAMILY: Final = {
    "kind": "family_kind",
    "lawful_birth": "family_lawful_birth",
    "wife_birth_date": "family_wife_birth_date",
}
_HOUSEHOLD: Final = {
    "members": "household_members",
    "enrolled": "household_enrolled",
    "employee_medical": "household_employee_medical",
}
_RESIDENT: Final = (
    "birth_date sex household_registration residence_permit in_school school employee_pension "
    "employee_medical categories disability_grade family household missed_years repaired_years "
    "first_enrolment death_date other_enrolment"
)


def facts_row(
    subject: int, resident: Mapping[str, object], quote: Mapping[str, object], categories: frozenset[str]
) -> dict[str, object]:
    """Flatten an example's `resident` and its quote (tier, payment_date, route) into one row of facts.

    `categories` are the known codes. Raises PlanError naming the key for anything that is not a fact.
    """
    entry = Entry(as_plain_mapping(resident))
    entry.only(optional=_RESIDENT)
    asked = Entry(as_plain_mapping(quote))
    asked.only("payment_date", "tier route")
    row: dict[str, object] = {"subject": subject}
    for key in ("birth_date", "death_date"):
        row[key] = part.date().isoformat() if (part := entry.get(key)) else None
    for key, known in (
        ("sex", SEXES),
        ("household_registration", HOUSEHOLD_REGISTRATIONS),
        ("residence_permit", RESIDENCE_PERMITS),
        ("school", SCHOOLS),
        ("other_enrolment", OTHER_ENROLMENTS),
    ):
        row[key] = part.choice(*known) if (part := entry.get(key)) else None
    for key in ("in_school", "employee_pension", "employee_medical", "first_enrolment"):
        row[key] = part.flag() if (part := entry.get(key)) else None
    for key, least, most in (("disability_grade", 1, 4), ("missed_years", 0, 99), ("repaired_years", 0, 99)):
        row[key] = part.whole(least, most) if (part := entry.get(key)) else None
    codes = part.texts() if (part := entry.get("categories")) else ()
    for code in codes:
        if code not in categories:
            raise entry.at("categories").error("undefined_category", name=code)
    row["categories"] = list(codes)
    if (family := entry.get("family")) is not None:
        family.only(optional=" ".join(_FAMILY))
        row["family_kind"] = part.choice(*FAMILY_KINDS) if (part := family.get("kind")) else None
        row["family_lawful_birth"] = part.flag() if (part := family.get("lawful_birth")) else None
        row["family_wife_birth_date"] = (
            part.date().isoformat() if (part := family.get("wife_birth_date")) else None
        )
    if (household := entry.get("household")) is not None:
        household.only(optional=" ".join(_HOUSEHOLD))
        for key, column in _HOUSEHOLD.items():
            row[column] = part.whole(most=999) if (part := household.get(key)) else None
    row["tier"] = str(part.amount()) if (part := asked.get("tier")) else None
    row["payment_date"] = asked.at("payment_date").date().isoformat()
    row["route"] = part.choice(*ROUTES) if (part := asked.get("route")) else None
    return row


def as_plain_mapping(values: Mapping[str, object]) -> dict[str, Plain]:
    return {
        key: as_plain_mapping(value) if isinstance(value, Mapping) else as_plain(value, key)
        for key, value in values.items()
    }
