"""Departments' lists: which ones a plan asks for, from whom, until when, and how far each has come."""

from __future__ import annotations

import calendar
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import Category, CollectionPlan
from foundation.clock.services import offset
from foundation.imports.kinds import Deadline, import_kind
from foundation.imports.models import BatchState, ImportBatch, ReturnedRow
from subsidies.models import ListDelivery
from subsidies.queries import rule_book
from subsidies.rules.plan import Plan, RuleRow
from subsidies.rules.settings import Settings
from subsidies.rules.source import PlanError
from townships.models import AgencyKind, Township, User

CATEGORY: Final = "category"
_SATURDAY: Final = 5
_WEEK: Final = 7


def list_deadline(batch: ImportBatch) -> Deadline | None:
    """The earliest deadline for a batch among the plans it concerns; None where they name none.

    A batch that names its plan is held to that one; another to the county's plans of the latest year, and to a
    township's own plan when its sender works for that township alone. A deadline names the kinds of files it is about
    (``files``): a day (``by``), or a day of every month (``days``), the first on or after the county's date of the
    upload.
    """
    day = timezone.localtime(batch.uploaded_at).date() + offset(batch.county_code)
    found = [
        deadline
        for plan in _plans(batch)
        if (book := _book(plan)) is not None
        if (deadline := _earliest(book, batch.kind, day)) is not None
    ]
    return min(found, key=lambda each: each.on, default=None)


def _earliest(book: Plan, kind: str, day: date) -> Deadline | None:
    found = [
        deadline
        for rule in book.of_kind("deadlines")
        if (deadline := _deadline(rule, book.settings, kind, day)) is not None
    ]
    return min(found, key=lambda each: each.on, default=None)


def _plans(batch: ImportBatch) -> list[CollectionPlan]:
    plans = CollectionPlan.objects.in_force().filter(county__code=batch.county_code)
    if batch.plan_code:
        return list(plans.filter(code=batch.plan_code))
    whose = Q(township=None)
    sender = batch.uploaded_by
    if sender is not None and not sender.sees_county:
        whose |= Q(township_id__in=sorted(sender.scope_places().townships))
    known = list(plans.filter(whose))
    latest = max((plan.coverage_year for plan in known), default=0)
    return [plan for plan in known if plan.coverage_year == latest]


def _book(plan: CollectionPlan) -> Plan | None:
    try:
        return rule_book(plan)
    except PlanError:
        return None  # a plan entered without its text has no deadlines


def _deadline(rule: RuleRow, settings: Settings, kind: str, day: date) -> Deadline | None:
    files = rule.effect.get("files")
    if not isinstance(files, list | tuple) or kind not in files:
        return None
    by, days = str(rule.effect.get("by", "")), str(rule.effect.get("days", ""))
    on = date.fromisoformat(by) if by else _monthly(days, day)
    if on is None:
        return None
    if not settings.flag("dates.before_is_inclusive"):
        on -= timedelta(days=1)
    if settings.choice("deadlines.roll_over") == "next_working_day" and on.weekday() >= _SATURDAY:
        on += timedelta(days=_WEEK - on.weekday())
    return Deadline(rule.name, on, rule.clause.text)


def _monthly(days: str, day: date) -> date | None:
    """The first such day of a month on or after ``day``."""
    if not days.isdigit() or not 1 <= int(days) <= 31:
        return None
    year, month = day.year, day.month
    if int(days) < day.day:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(int(days), calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class ListLine:
    """A list somebody has to send: what, who, until when; and how far it has come at one receiving office.

    ``electronic``, ``paper`` and ``sealed`` are the first days on which it was noted in that form; ``imported`` is the
    last file of it that went in, ``open`` how many rows of its files are still with their sender. ``townships`` counts
    the townships that noted the paper.
    """

    kind: str
    category: Category | None
    title: str
    sender: str
    agency_kind: str
    list_name: str
    deadline: Deadline | None
    electronic: date | None = None
    paper: date | None = None
    sealed: date | None = None
    imported: ImportBatch | None = None
    open: int = 0
    townships: int = 0
    overdue: bool = False

    @property
    def key(self) -> str:
        """What a form names it by."""
        return f"{self.kind}:{self.category.code if self.category else ''}"

    @property
    def complete(self) -> bool:
        """In every form the paper asks for."""
        return self.paper is not None and self.sealed is not None and self.has_file

    @property
    def has_file(self) -> bool:
        """Whether its electronic form is there, noted or gone in."""
        return self.electronic is not None or self.imported is not None


def expected_lists(plan: CollectionPlan, today: date) -> list[ListLine]:
    """The lists a plan asks for: a line for each group an office certifies, and one for each kind of file with a
    deadline of its own (deaths, every month). Where the plan names no offices, the office is the one that usually
    certifies the group."""
    book = _book(plan)
    if book is None:
        return []
    categories = {category.code: category for category in Category.objects.all()}
    usual = dict(AgencyKind.choices)
    lines: dict[str, ListLine] = {}
    due = _earliest(book, CATEGORY, today)
    for each in book.lists:
        for supplier in each.suppliers:
            for code in dict.fromkeys(code for group in supplier.groups for code in group.categories):
                if code in categories:
                    found = ListLine(
                        CATEGORY,
                        categories[code],
                        categories[code].name,
                        supplier.name,
                        supplier.agency,
                        each.name,
                        due,
                    )
                    lines.setdefault(found.key, found)
    if not lines:
        named = {code for group in book.groups.values() for code in group.categories}
        for category in sorted((categories[code] for code in named & categories.keys()), key=_place):
            sender = str(usual.get(category.agency_kind, _("有关部门")))
            found = ListLine(CATEGORY, category, category.name, sender, category.agency_kind, "", due)
            lines[found.key] = found
    return [*lines.values(), *_files_with_deadlines(book, today)]


def _place(category: Category) -> tuple[int, str]:
    return category.position, category.code


def _files_with_deadlines(book: Plan, today: date) -> list[ListLine]:
    found = []
    for rule in book.of_kind("deadlines"):
        files = rule.effect.get("files")
        for kind in files if isinstance(files, list | tuple) else ():
            if kind == CATEGORY:
                continue
            # Of every month: this month's, from its first day on.
            deadline = _deadline(rule, book.settings, str(kind), today.replace(day=1))
            title = str(import_kind(str(kind)).label)
            found.append(
                ListLine(
                    str(kind),
                    None,
                    title,
                    str(rule.effect.get("who", _("有关部门"))),
                    "",
                    rule.name,
                    deadline,
                )
            )
    return found


def list_board(*, user: User, plan: CollectionPlan, township: Township | None, today: date) -> list[ListLine]:
    """The plan's lists as one office received them, the late ones first. A department sees its own lists."""
    lines = expected_lists(plan, today)
    if user.sees_county and not user.sees_all_work:
        kind = user.agency.kind if user.agency is not None else ""
        lines = [line for line in lines if line.agency_kind == kind or not line.agency_kind]
    visible = ListDelivery.objects.visible_to(user).standing().filter(plan__code=plan.code)
    received: dict[tuple[str, int | None], dict[str, date]] = defaultdict(dict)
    papers: dict[tuple[str, int | None], set[int]] = defaultdict(set)
    for each in visible.order_by("-received_on"):
        key = (each.kind, each.category_id)
        if each.paper and each.township_id is not None:
            papers[key].add(each.township_id)
        if each.township_id != (township.pk if township else None) or not _still_counts(each, today):
            continue
        for form in ("electronic", "paper", "sealed"):
            if getattr(each, form):
                received[key][form] = each.received_on
    imported, open_rows = _files(user, plan)
    board = []
    for line in lines:
        key = (line.kind, line.category.pk if line.category else None)
        code = line.category.code if line.category else ""
        told = received[key]
        filled = replace(
            line,
            electronic=told.get("electronic"),
            paper=told.get("paper"),
            sealed=told.get("sealed"),
            imported=imported.get((line.kind, code)),
            open=open_rows.get((line.kind, code), 0),
            townships=len(papers[key]),
        )
        late = line.deadline is not None and today > line.deadline.on and not filled.complete
        board.append(replace(filled, overdue=late))
    return sorted(board, key=lambda line: (not line.overdue, line.complete))


def _still_counts(delivery: ListDelivery, today: date) -> bool:
    """A list of every month counts for the month it was received in."""
    same_month = (delivery.received_on.year, delivery.received_on.month) == (today.year, today.month)
    return delivery.category_id is not None or same_month


def _files(
    user: User, plan: CollectionPlan
) -> tuple[dict[tuple[str, str], ImportBatch], dict[tuple[str, str], int]]:
    """The last file of each list that went in since the plan's season, and the rows still open, as the user sees them."""
    batches = ImportBatch.objects.visible_to(user).filter(
        state=BatchState.APPLIED, county_code=plan.county.code
    )
    last = {(batch.kind, batch.category_code): batch for batch in batches.order_by("pk")}
    counted = (
        ReturnedRow.objects.sent_by(user)
        .waiting()
        .filter(batch__county_code=plan.county.code)
        .values_list("batch__kind", "batch__category_code")
        .annotate(n=Count("pk"))
    )
    return last, {(kind, code): n for kind, code, n in counted}
