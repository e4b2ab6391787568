"""Who may do what in the office, by role: pure data and one question. How far a role sees is its scope."""

from __future__ import annotations

from typing import Final

VIEW: Final = "view"
CHANGE: Final = "change"

# Roles by the words of ``townships.models.Role``; the county leader and the village agent have pages of their own.
OFFICE_ROLES: Final = frozenset(
    {
        "admin", "tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "department", "township_clerk",
        "auditor",
    }
)  # fmt: skip

# Model label → what a role may do with the rows of its scope. Not named means not reachable. Nothing is ever
# added or deleted in a list: rows come by imports and services. ``change`` means the services behind the forms.
_PLANS: Final = {
    "enrollment.collectionplan": VIEW,
    "enrollment.tier": VIEW,
    "enrollment.window": VIEW,
    "enrollment.stage": VIEW,
    "enrollment.target": VIEW,
    "subsidies.rule": VIEW,
}
_PLACES: Final = {
    "townships.township": VIEW,
    "townships.village": VIEW,
    "townships.collectingunit": VIEW,
    "townships.agency": VIEW,
    "enrollment.category": VIEW,
}
_REGISTER: Final = {
    "enrollment.resident": VIEW,
    "enrollment.household": VIEW,
    "enrollment.membership": VIEW,
    "enrollment.familyrecord": VIEW,
    "enrollment.registration": VIEW,
    "enrollment.priorpayment": VIEW,
}
_MONEY: Final = {
    "contributions.assessment": VIEW,
    "contributions.charge": VIEW,
    "contributions.payment": VIEW,
    "contributions.paymentcase": VIEW,
    "contributions.taxentry": VIEW,
}
_PAPERS: Final = {"rosters.roster": VIEW, "notices.posting": VIEW}
_WORK: Final = {"jobs.job": VIEW, "imports.importbatch": VIEW, "imports.returnedrow": VIEW}
_REGISTER_CHANGE: Final = {
    "enrollment.resident": CHANGE,
    "enrollment.household": CHANGE,
    "enrollment.membership": CHANGE,
}

PERMISSIONS: Final[dict[str, dict[str, str]]] = {
    "admin": {
        **_PLANS, **_PLACES, **_WORK,
        "townships.township": CHANGE,
        "townships.village": CHANGE,
        "townships.collectingunit": CHANGE,
        "townships.agency": CHANGE,
        "enrollment.category": CHANGE,
        "townships.user": CHANGE,
        "townships.device": CHANGE,
        "audit.auditevent": VIEW,
    },
    "tax_bureau": {
        **_PLANS, **_PLACES, **_REGISTER, **_MONEY, **_PAPERS, **_WORK,
        "contributions.payment": CHANGE,
        "contributions.paymentcase": CHANGE,
    },
    "medical_bureau": {**_PLANS, **_PLACES, **_REGISTER, **_MONEY, **_PAPERS, **_WORK, **_REGISTER_CHANGE},
    "hr_bureau": {**_PLANS, **_PLACES, **_REGISTER, **_MONEY, **_PAPERS, **_WORK, **_REGISTER_CHANGE},
    "finance_bureau": {**_PLANS, **_PLACES, **_MONEY, **_WORK, "enrollment.resident": VIEW},
    # A department sends lists and corrects what came back; it reads no register.
    "department": {**_PLANS, "enrollment.category": VIEW, **_WORK},
    "township_clerk": {
        **_PLANS, **_PLACES, **_REGISTER, **_MONEY, **_PAPERS, **_WORK, **_REGISTER_CHANGE,
        "contributions.payment": CHANGE,
        "contributions.paymentcase": CHANGE,
        "notices.posting": CHANGE,
    },
    "auditor": {
        **_PLANS, **_PLACES, **_REGISTER, **_MONEY, **_PAPERS, **_WORK,
        "townships.user": VIEW,
        "townships.device": VIEW,
        "audit.auditevent": VIEW,
    },
}  # fmt: skip


def permits(role: str, label: str, action: str = VIEW) -> bool:
    """Whether a role may view or change rows of a model (``app.model``, lower case)."""
    granted = PERMISSIONS.get(role, {}).get(label)
    return granted == CHANGE or (granted == VIEW and action == VIEW)


_REGISTER_ROLES: Final = frozenset({"tax_bureau", "medical_bureau", "hr_bureau", "township_clerk", "auditor"})
_BUREAUS: Final = frozenset({"tax_bureau", "medical_bureau", "hr_bureau"})
# What people do outside the lists: pages, API and jobs.
ACTS: Final[dict[str, frozenset[str]]] = {
    "collect": frozenset({"village_agent", "township_clerk", "tax_bureau"}),
    "read_residents": _REGISTER_ROLES | {"village_agent"},
    "import": frozenset(
        {"admin", "tax_bureau", "medical_bureau", "hr_bureau", "department", "township_clerk"}
    ),
    "make_rosters": frozenset({"tax_bureau", "medical_bureau", "hr_bureau", "township_clerk"}),
    "read_rosters": _REGISTER_ROLES,
    "read_full_numbers": frozenset({"tax_bureau", "medical_bureau", "hr_bureau"}),
    "post": frozenset({"township_clerk"}),
    "assess": _REGISTER_ROLES - {"auditor"},
    "reveal_number": _REGISTER_ROLES,
    # Departments' lists: who follows what has come, and the offices to which it comes.
    "read_lists": _REGISTER_ROLES | {"admin", "department", "finance_bureau"},
    "note_lists": _REGISTER_ROLES - {"auditor"},
    # The life of the register: births, deaths, moves, households, doubles.
    "keep_register": frozenset({"medical_bureau", "hr_bureau", "township_clerk"}),
    # Whom one list holds and another does not, possible doubles, the police's register: to read.
    "compare_registers": frozenset(
        {"medical_bureau", "hr_bureau", "tax_bureau", "township_clerk", "auditor"}
    ),
    "merge_places": frozenset({"admin", "medical_bureau", "hr_bureau"}),
    # Plans are public papers; what a change would cost is for whoever proposes, pays, decides or audits it.
    "read_plans": OFFICE_ROLES | {"county_leader"},
    # Publishing, amending and closing bind a whole county: for the bureaus that carry the plan out.
    "manage_plans": frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau"}),
    # The turn of the year: the bureaus open and close it, who looks after residents confirms, the administrator
    # alone opens a closed one again. Archived workbooks name everybody with whole numbers.
    "read_season": (OFFICE_ROLES - {"department"}) | {"county_leader"},
    "read_confirmations": _REGISTER_ROLES,
    "open_season": _BUREAUS,
    "confirm_season": _REGISTER_ROLES - {"auditor"},
    "close_season": _BUREAUS,
    "reopen_season": frozenset({"admin"}),
    "read_archive": _BUREAUS,
    # Government-paid people and money: a department sees the people it certifies, whoever pays or audits sees all.
    "read_funding": frozenset(
        {
            "tax_bureau",
            "medical_bureau",
            "hr_bureau",
            "finance_bureau",
            "department",
            "township_clerk",
            "auditor",
        }
    ),
    "ask_funding": frozenset({"medical_bureau", "hr_bureau", "department"}),
    "join_funding": frozenset({"tax_bureau", "medical_bureau", "hr_bureau"}),
    "pay_funding": frozenset({"finance_bureau"}),
    "bill_funding": frozenset({"medical_bureau", "hr_bureau"}),
    "read_marks": _REGISTER_ROLES | {"finance_bureau"},
    "move_marks": frozenset({"township_clerk", "medical_bureau", "hr_bureau", "tax_bureau"}),
    "read_list_numbers": frozenset({"tax_bureau", "medical_bureau", "hr_bureau", "department"}),
    "read_sponsors": frozenset({"township_clerk", "tax_bureau", "medical_bureau", "hr_bureau", "auditor"}),
    "sponsor": frozenset({"township_clerk"}),
    # What an amendment would do, in sums: for whoever proposes, pays, decides, audits, and the townships it falls on.
    "read_amendments": _REGISTER_ROLES | {"admin", "finance_bureau", "county_leader"},
    # Whoever collects, refunds or audits sees who has paid and would owe something else today.
    "read_differences": _REGISTER_ROLES | {"finance_bureau"},
    "budget": frozenset(
        {"admin", "tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "auditor", "county_leader"}
    ),
}


def may(role: str, act: str) -> bool:
    """Whether a role does an act at all; where, is its scope."""
    return role in ACTS[act]
