"""Possible doubles, the police's register beside ours, and two lists against each other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from contributions.register import lists as listing
from contributions.register.kinds import BY_CODE, KINDS
from contributions.register.pairs import pair_rows, side_by_side
from contributions.register.police import count_differences, differences
from contributions.services.register.doubles import merge, unmerge
from enrollment.models import PairVerdict, PoliceRecord, Resident, ResidentPair
from enrollment.queries import live_plans
from enrollment.services.life.doubles import keep_apart, possible_doubles
from foundation.audit.services import record
from foundation.clock.services import business_date, offset
from foundation.sheets import Column, Layout, OfficialTable, write_workbook
from townships.access import user_who_may
from townships.models import Township, User
from townships.rules import may

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PER_PAGE: Final = 50
WORKBOOK_ROWS: Final = 100_000


@dataclass(frozen=True)
class Ground:
    """Whose places a comparison is about: one township, chosen where a user sees several."""

    user: User
    townships: list[Township]
    chosen: Township | None

    @property
    def ids(self) -> list[int]:
        """The chosen township's key, as a list."""
        return [self.chosen.pk] if self.chosen is not None else []


def _ground(request: HttpRequest, act: str = "compare_registers") -> Ground:
    user = user_who_may(request, act)
    townships = list(
        Township.objects.filter(pk__in=user.scope_places().townships).order_by("position", "code")
    )
    code = request.GET.get("township", "")
    chosen = next((t for t in townships if t.code == code), None)
    if code and chosen is None:
        raise Http404
    return Ground(user, townships, chosen or (townships[0] if townships else None))


def _page(request: HttpRequest) -> int:
    asked = request.GET.get("page", "1")
    return int(asked) if asked.isdecimal() and 0 < int(asked) < 10**6 else 1


@login_required
@never_cache
@require_GET
def doubles(request: HttpRequest) -> HttpResponse:
    """Pairs of records that may be one person, township by township, and what was decided lately."""
    ground = _ground(request)
    pairs = possible_doubles(ground.ids) if ground.chosen is not None else []
    decided = (
        ResidentPair.objects.visible_to(ground.user)
        .filter(township__in=ground.ids)
        .select_related("first", "second", "decided_by")
        .order_by("-decided_at")[:20]
    )
    shift = offset(ground.user.county_code)
    for row in decided:
        row.decided_at += shift
    context = {
        "ground": ground,
        "rows": pair_rows(ground.user, pairs),
        "more": len(pairs) >= 200,
        "decided": decided,
        "may_keep": may(ground.user.role, "keep_register"),
    }
    return render(request, "register/doubles.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def pair(request: HttpRequest, one: int, other: int) -> HttpResponse:
    """Two records beside each other, what differs, and the decision."""
    user = user_who_may(request, "compare_registers")
    people = Resident.objects.held_by(user).filter(merged_into=None).in_bulk([one, other])
    if one == other or len(people) < 2:
        raise Http404
    problem = ""
    if request.method == "POST":
        user_who_may(request, "keep_register")
        try:
            return _decide(request, user, one, other)
        except ValidationError as error:
            problem = " ".join(error.messages)
    context = {
        **side_by_side(user, people[one], people[other]),
        "problem": problem,
        "sent": request.POST,
        "may_keep": may(user.role, "keep_register"),
    }
    return render(request, "register/pair.html", context, status=422 if problem else 200)


def _decide(request: HttpRequest, user: User, one: int, other: int) -> HttpResponse:
    reason = request.POST.get("reason", "")
    if request.POST.get("act") == "different":
        keep_apart(by=user, one=one, other=other, reason=reason)
        messages.success(request, _("记住了：不是同一个人，以后不再问。"))
        return redirect("register:doubles")
    living = request.POST.get("living", "")
    if living not in {str(one), str(other)}:
        raise ValidationError(_("请选保留哪一份档案。"))
    keep = int(living)
    merge(by=user, living=keep, merged=other if keep == one else one, reason=reason)
    messages.success(request, _("已并档。两份的登记、缴费和历史都在这里；缴重的钱记在待处理事项里，等退费。"))
    return redirect("admin:enrollment_resident_change", keep)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a merge back, as long as nothing depends on it."""
    user = user_who_may(request, "keep_register")
    row = (
        ResidentPair.objects.held_by(user)
        .filter(pk=pk, verdict=PairVerdict.SAME)
        .select_related("decided_by")
        .first()
    )
    if row is None or "living" not in row.moved:
        raise Http404
    people = Resident.objects.visible_to(user).select_related("unit").in_bulk([row.first_id, row.second_id])
    living, merged = people.get(row.moved["living"]), people.get(row.moved["merged"])
    if living is None or merged is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        try:
            unmerge(by=user, pair=pk, reason=request.POST.get("reason", ""))
        except ValidationError as error:
            problem = " ".join(error.messages)
        else:
            messages.success(request, _("并档已撤销，两份档案各归各的。"))
            return redirect("admin:enrollment_resident_change", living.pk)
    context = {"pair": row, "living": living, "merged": merged, "problem": problem}
    return render(request, "register/undo.html", context, status=422 if problem else 200)


@login_required
@never_cache
@require_GET
def police(request: HttpRequest) -> HttpResponse:
    """The police's register beside ours: how many of each kind, and one kind's people."""
    ground = _ground(request)
    kind = request.GET.get("kind", "")
    if kind and kind not in BY_CODE:
        raise Http404
    county = ground.user.county_id or 0
    held = ground.chosen is not None and PoliceRecord.objects.filter(township__in=ground.ids).exists()
    counts = count_differences(county, ground.ids) if held else {}
    kind = kind or next((code for code, n in counts.items() if n), "")
    number = _page(request)
    rows = (
        differences(ground.user, county, ground.ids, kind, offset=(number - 1) * PER_PAGE, limit=PER_PAGE)
        if held and kind
        else []
    )
    context = {
        "ground": ground,
        "held": held,
        "counts": [(each, counts.get(each.code, 0)) for each in KINDS],
        "total": sum(counts.values()),
        "kind": BY_CODE.get(kind),
        "rows": [(row, urlencode(row.prefill)) for row in rows],
        "page": number,
        "pages": -(-counts.get(kind, 0) // PER_PAGE),
        "may_keep": may(ground.user.role, "keep_register"),
    }
    return render(request, "register/police.html", context)


def _question(
    request: HttpRequest, ground: Ground
) -> tuple[dict[str, listing.Named], listing.Question | None]:
    plan = live_plans(ground.user.county_id or 0).first()
    known = listing.lists_of(plan)
    first = known.get(request.GET.get("in", "last_medical"))
    second = known.get(request.GET.get("not_in", "paid_medical"))
    if plan is None or first is None or second is None or ground.chosen is None:
        return known, None
    today = business_date(ground.user.county_code)
    return known, listing.Question(plan, first, second, ground.ids, today)


@login_required
@never_cache
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """People in one list and not in another: counts by reason, and the people of one reason or all."""
    ground = _ground(request)
    known, question = _question(request, ground)
    same = question is not None and question.first.code == question.second.code
    reasons = listing.count_reasons(question) if question is not None and not same else []
    reason = request.GET.get("reason", "")
    if reason not in {"", *(code for code, _words, _n in reasons)}:
        reason = ""
    number = _page(request)
    total = sum(n for code, _words, n in reasons if reason in ("", code))
    rows = (
        listing.missing_people(
            ground.user, question, reason=reason, offset=(number - 1) * PER_PAGE, limit=PER_PAGE
        )
        if question is not None and total
        else []
    )
    context = {
        "ground": ground,
        "lists": list(known.values()),
        "question": question,
        "same": same,
        "reasons": reasons,
        "reason": reason,
        "rows": rows,
        "total": total,
        "everybody": sum(n for _code, _words, n in reasons),
        "page": number,
        "pages": -(-total // PER_PAGE),
        "query": urlencode(
            {
                "in": question.first.code if question else "",
                "not_in": question.second.code if question else "",
                "township": ground.chosen.code if ground.chosen else "",
            }
        ),
    }
    return render(request, "register/compare.html", context)


def _layout() -> Layout:
    columns = (
        Column("number", _("身份证号"), 21),
        Column("name", _("姓名"), 12),
        Column("township", _("镇街"), 12),
        Column("unit", _("村居"), 14),
        Column("reason", _("原因"), 34),
    )
    return Layout("list_difference", columns)


@login_required
@never_cache
@require_GET
def compare_workbook(request: HttpRequest) -> FileResponse:
    """The people of a comparison as a workbook; taking it out is in the trail."""
    ground = _ground(request)
    _known, question = _question(request, ground)
    if question is None or ground.chosen is None:
        raise Http404
    whole = may(ground.user.role, "read_full_numbers")
    reason = request.GET.get("reason", "")
    counted = 0

    def cells() -> Iterator[dict[str, Any]]:
        nonlocal counted
        rows = listing.missing_people(
            ground.user, question, reason=reason, limit=WORKBOOK_ROWS, whole=whole
        )  # fmt: skip
        for row in rows:
            counted += 1
            yield {
                "number": row.number, "name": row.name, "township": row.township, "unit": row.unit, "reason": row.reason
            }  # fmt: skip

    title = _("%(township)s：在“%(first)s”里、不在“%(second)s”里的人") % {
        "township": ground.chosen.name, "first": question.first.title, "second": question.second.title,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="lists-") as folder:
        out = Path(folder) / "lists.xlsx"
        footer = () if whole else (_("身份证号已遮盖，需要全号请由医保、人社或税务导出。"),)
        write_workbook(out, [OfficialTable(_layout(), cells(), title, "", question.today, footer=footer)])
        file = out.open("rb")
    record(
        by=ground.user, action="export.list_difference", target_kind="township", target=ground.chosen.code,
        county_code=ground.user.county_code, township_code=ground.chosen.code,
        detail={
            "in": question.first.code, "not_in": question.second.code, "rows": counted, "whole_numbers": whole
        },
    )  # fmt: skip
    return FileResponse(file, as_attachment=True, filename=f"{_('名单核对')}.xlsx", content_type=XLSX)
