"""An amendment as text: the standing plan with what is changed, each changed rule under the words of the amending paper.

The text is a plan file like any other: read and checked by the loader, kept with its version. Everything is written as
text, in the order of the standing plan; comments of the file are not kept.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

import yaml

from .changes import change_plan
from .plan import Plan
from .settings import as_plain
from .source import LINES, Plain, PlanError

_PRINTED: Final = {"medical.personal": "personal", "medical.fiscal": "fiscal"}


@dataclass(frozen=True)
class Paper:
    """The paper that amends: its number (the place of every clause it brings), the words quoted, the day it is issued
    and the day from which it holds."""

    number: str
    clause: str
    issued_on: datetime.date
    effective_on: datetime.date


def amend(plan: Plan, changes: Mapping[str, str], paper: Paper) -> str:
    """The text of the next version of a plan under ``changes`` (keys of ``changes``).

    Raises PlanError for changes that name nothing, change nothing or do not hold, and for a number that is none.
    """
    if not LINES.fullmatch(paper.number) or paper.number.startswith("L"):
        raise PlanError("not_a_number", value=paper.number)
    if not paper.clause.strip():
        raise PlanError("no_clause", missing="clause")
    said = with_consequences(plan, changes)
    changed, settings = change_plan(plan, said)
    document = copy.deepcopy(dict(changed.document))
    for name in [name for name in settings if name in _PRINTED]:
        if _print(document, _PRINTED[name], str(said[name]).strip()):
            del settings[name]
    if settings:
        kept = document.get("settings")
        written = kept if isinstance(kept, dict) else {}
        document["settings"] = {
            **written,
            **{name: as_plain(value, name) for name, value in settings.items()},
        }
    _keep_lists(document, changed)
    before = {str(rule.get("code")): rule for rule in _rules(dict(plan.document))}
    touched = 0
    for rule in _rules(document):
        old = before.get(str(rule.get("code")))
        if old is not None and old != rule:
            rule["clause"], rule["lines"] = paper.clause.strip(), paper.number
            touched += 1
    if not touched and not settings and len(list(_rules(document))) == len(before):
        raise PlanError("changes_nothing")
    _number(document, plan, paper)
    return as_text(document)


def with_consequences(plan: Plan, changes: Mapping[str, str]) -> dict[str, str]:
    """What follows from a change: a collection period that is extended moves the late one behind it."""
    said = dict(changes)
    for insurance in plan.insurances:
        own = {window.kind: window for window in plan.windows if window.insurance == insurance}
        late = own.get("late")
        closes = said.get(f"window.{own['collection'].code}.closes", "").strip()
        if late is None or not closes or f"window.{late.code}.opens" in said:
            continue
        try:
            last = datetime.date.fromisoformat(closes)
        except ValueError:
            continue  # the check of the change says what is wrong
        if last >= late.opens:
            said[f"window.{late.code}.opens"] = (last + datetime.timedelta(days=1)).isoformat()
    return said


def as_text(document: Mapping[str, Plain]) -> str:
    """Plain data as the text of a plan file; reading it again gives the same data."""
    return yaml.dump(dict(document), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1000)


class _Dumper(yaml.SafeDumper):
    """Nothing is written as nothing; no anchors, which plan files do not have."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    type(None), lambda dumper, _none: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)


def _rules(value: Plain) -> Iterator[dict[str, Plain]]:
    """Every mapping of a document that is a rule: it has a code and cites its clause."""
    if isinstance(value, dict):
        if "code" in value and "clause" in value:
            yield value
        for each in list(value.values()):
            yield from _rules(each)
    elif isinstance(value, list):
        for each in value:
            yield from _rules(each)


def _keep_lists(document: dict[str, Plain], plan: Plan) -> None:
    """A list holds those of its rules that are left, and suppliers what they still certify."""
    conditions = {waiver.code: waiver.condition for waiver in plan.medical.waivers} if plan.medical else {}
    conditions |= {rule.code: rule.condition for rule in plan.pension.government_paid} if plan.pension else {}
    lists = document.get("lists")
    kept: list[Plain] = []
    for entry in lists if isinstance(lists, list) else ():
        if isinstance(entry, dict) and isinstance(named := entry.get("waivers"), list):
            left: list[Plain] = [code for code in named if code in conditions]
            if not left:
                continue
            groups = {group.name for code in left for group in conditions[str(code)].groups}
            entry["waivers"] = left
            entry["suppliers"] = list(
                _suppliers(entry.get("suppliers"), {str(code) for code in left}, groups)
            )
        kept.append(entry)
    if kept:
        document["lists"] = kept
    else:
        document.pop("lists", None)


def _suppliers(suppliers: Plain, codes: set[str], groups: set[str]) -> Iterator[Plain]:
    for each in suppliers if isinstance(suppliers, list) else ():
        if isinstance(each, dict):
            for key, left in (("groups", groups), ("computed", codes)):
                if isinstance(said := each.get(key), list):
                    each[key] = [item for item in said if item in left]
            if not each.get("groups") and not each.get("computed"):
                continue
        yield each


def _print(document: dict[str, Plain], part: str, amount: str) -> bool:
    """Change an amount the standard prints, and its total; False where it prints none, or several."""
    medical = document.get("medical")
    standard = medical.get("standard") if isinstance(medical, dict) else None
    figure = standard.get(part) if isinstance(standard, dict) else None
    if not isinstance(standard, dict) or not isinstance(figure, dict) or not amount:
        return False
    before, figure["amount"] = Decimal(str(figure.get("amount"))), amount
    if (total := standard.get("total")) is not None:
        standard["total"] = f"{Decimal(str(total)) + Decimal(amount) - before:f}"
    return True


def _number(document: dict[str, Plain], plan: Plan, paper: Paper) -> None:
    head = cast(dict[str, Plain], document["plan"])
    version = plan.version + 1
    head["version"] = str(version)
    entries = document.get("amendments")
    document["amendments"] = [
        *(entries if isinstance(entries, list) else ()),
        {
            "code": f"amendment_{version}",
            "name": paper.number,
            "from": paper.effective_on.isoformat(),
            "clause": paper.clause.strip(),
            "lines": paper.number,
            "note": f"{paper.issued_on.isoformat()} 发文，{paper.effective_on.isoformat()} 起执行",
        },
    ]
