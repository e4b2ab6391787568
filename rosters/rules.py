"""Pure rules of rosters: what a version's digest covers, how it is numbered, what a file may be called."""

from __future__ import annotations

import re
from typing import Final

KIND_LETTERS: Final = {"reference": "R", "levy": "L", "payment": "P"}
# Behind the kind's letter on a roster of one insurance.
INSURANCE_LETTERS: Final = {"": "", "medical": "M", "pension": "P"}

_UNSAFE: Final = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


# The fields of a line in their order. They are columns of the draft and of sealed lines alike.
CANONICAL_FIELDS: Final = (
    "position", "group_name", "household_number", "house_number", "head_name", "name", "relation",
    "encode(number_index, 'hex')", "categories", "age", "last_tier", "tier", "pension_personal",
    "medical_personal", "government_paid", "personal", "pension_paid", "medical_paid", "paid",
    "to_char(paid_on, 'YYYY-MM-DD')",
    "means", "medical_voucher", "pension_voucher", "is_new::int", "note",
)  # fmt: skip
# One line: its fields parted by tabs; an absent value is empty.
CANONICAL: Final = f"concat({', chr(9), '.join(CANONICAL_FIELDS)})"
# The head line is plan, kind and unit by their codes; then the lines in order, each after a line feed.
DIGEST: Final = (
    f"encode(sha256(convert_to(concat({{head}}, chr(10), string_agg({CANONICAL}, chr(10) ORDER BY position)"
    " FILTER (WHERE position IS NOT NULL)), 'UTF8')), 'hex')"
)

# Why somebody registered is not on a roster. Printed into sealed lines, so these words are data of the county
# and stay Chinese whatever the reader's language.
REASON_WORDS: Final = {
    "deceased": "已死亡",
    "duplicate": "重复登记",
    "duplicate_elsewhere": "已在市外参保",
    "duplicate_in_city": "已在本市其他县区参保",
    "not_in_scope": "不在参保范围",
    "employee_medical": "已参加职工医保",
    "employee_pension": "已参加职工养老",
    "in_school": "在校学生",
    "under_16": "不满16周岁",
    "age_60_or_more": "已满60周岁",
    "unknown_tier": "档次不对",
    "tier_100_not_allowed": "不能选100元档",
    "birth_date_missing": "缺出生日期",
    "tier_not_chosen": "未选档次",
    "no_clause": "转部门核定",
    "route_closed": "渠道未开通",
    "late_waived_group": "转部门核定",
    "out_of_period": "不在缴费期",
    "after_coverage_year": "已过保障年度",
    "no_cover_left": "本年度已无待遇期",
    "higher_tier_not_allowed": "不能选高档次",
    "refer": "转部门核定",
    "refuse": "不在参保范围",
    "amount_not_configured": "待录入标准",
    "accept": "待生成应缴",
    "hold": "未到缴费期",
    "not_assessed": "未核定",
    "not_paid_last_year": "上年未缴",
}


def letters(kind: str, insurance: str = "") -> str:
    """The letters of a roster's number: R, L or P, and M or P behind it for one insurance alone."""
    return KIND_LETTERS[kind] + INSURANCE_LETTERS[insurance]


def digest_head(plan: str, kind: str, insurance: str = "") -> str:
    """What stands before the unit's code in the text a digest covers; a roster of both names its kind alone."""
    return f"{plan}|{kind}{f'.{insurance}' if insurance else ''}|"


def roster_number(*, county: str, year: int, kind: str, unit: str, version: int) -> str:
    """The number printed on the paper, e.g. ``370406-2023-L-370406100001-001``."""
    return f"{county}-{year}-{KIND_LETTERS[kind]}-{unit}-{version:03d}"


def short_digest(digest: str) -> str:
    """The first sixteen digits in groups of four: what two people compare by reading aloud."""
    return " ".join(digest[i : i + 4] for i in range(0, 16, 4))


def safe_name(text: str) -> str:
    """``text`` as a file or folder name every desktop takes; never empty, never hidden, never a path."""
    return _UNSAFE.sub("_", text).strip(" .")[:80] or "_"


def chunks_by_weight(weights: list[tuple[int, int]], limit: int) -> list[list[int]]:
    """Cut (id, weight) pairs, in their order, into runs of at most ``limit``; a heavier one stands alone."""
    runs: list[list[int]] = []
    room = 0
    for key, weight in weights:
        if not runs or weight > room:
            runs.append([])
            room = limit
        runs[-1].append(key)
        room -= weight
    return runs
