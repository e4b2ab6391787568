"""《政府资助人员名单》《政府代缴人员名单》: a department's people, whom it missed, whom it named twice; page, workbook, PDF."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from contributions.funding.asking import Ground, ground_of
from contributions.funding.lists import OfficeCount, all_rows, cells_of, count_offices, rows_of
from contributions.funding.papers import list_pdf
from contributions.funding.sheets import name_list
from contributions.funding.standing import MISSED, NOT_PAYABLE, Asked, Office, Standing, find_people
from foundation.audit.services import record
from foundation.sheets import OfficialTable, write_workbook
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.access import user_who_may
from townships.models import User
from townships.rules import may

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PER_PAGE: Final = 100
# What is shown of a list: the standings behind each choice, in the order of the page.
SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "": (),
    "taken": (Standing.TAKEN,),
    "missed": MISSED,
    "twice": (),
    "elsewhere": (Standing.ELSEWHERE,),
    "not_payable": NOT_PAYABLE,
}


def _ground(request: HttpRequest) -> tuple[User, Ground | None]:
    user = user_who_may(request, "read_funding")
    return user, ground_of(request, user)


def _office(ground: Ground, key: str) -> Office | None:
    """The department named in the address; a department always sees itself. 404 for another's."""
    own = ground.own_offices()
    if key:
        found = next((each for each in own if each.key == key), None)
        if found is None:
            raise Http404
        return found
    return own[0] if len(own) == 1 else None


@login_required
@never_cache
@require_GET
def lists(request: HttpRequest) -> HttpResponse:
    """Departments of the plan's lists with their counts; one department's people where one is chosen."""
    try:
        user, ground = _ground(request)
    except PlanError as error:
        return render(request, "funding/empty.html", {"problem": describe(error)})
    if ground is None or not ground.insurance:
        return render(request, "funding/empty.html", {"plan": ground.plan if ground else None})
    own = ground.own_offices()
    if not own:
        return render(request, "funding/empty.html", {"plan": ground.plan, "no_list": True})
    office = _office(ground, request.GET.get("office", ""))
    asked = ground.asked()
    indexes = {each.index for each in own}
    counts = [row for row in count_offices(asked) if row.office.index in indexes]
    context: dict[str, Any] = {
        "ground": ground,
        "counts": counts,
        "chosen": office,
        "own_only": len(own) == 1,
        "query": urlencode(ground.query),
    }
    if office is not None:
        context |= _people(request, user, ground, asked, office, counts)
    return render(request, "funding/lists.html", context)


def _people(
    request: HttpRequest, user: User, ground: Ground, asked: Asked, office: Office, counts: list[OfficeCount]
) -> dict[str, Any]:
    count = next((row for row in counts if row.office.index == office.index), OfficeCount(office))
    show = request.GET.get("show", "")
    if show not in SHOWN:
        raise Http404
    total = {
        "": count.people, "taken": count.taken, "missed": count.missed, "twice": count.twice,
        "elsewhere": count.elsewhere, "not_payable": count.not_payable,
    }  # fmt: skip
    page = request.GET.get("page", "1")
    number = int(page) if page.isdecimal() and 0 < int(page) < 10**6 else 1
    people = find_people(
        asked,
        office=office.index,
        standings=SHOWN[show],
        twice=show == "twice",
        offset=(number - 1) * PER_PAGE,
        limit=PER_PAGE,
    )
    labels = {
        "": _("全部"), "taken": _("在代缴"), "missed": _("可能漏的"), "twice": _("多种身份"),
        "elsewhere": _("按别的名单代缴"), "not_payable": _("不应代缴"),
    }  # fmt: skip
    pages = -(-total[show] // PER_PAGE)
    return {
        "count": count,
        "show": show,
        "choices": [(key, labels[key], total[key]) for key in SHOWN],
        "rows": rows_of(asked, people, whole_numbers=False),
        "first": (number - 1) * PER_PAGE,
        "page": number,
        "pages": pages,
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if number < pages else None,
        "list_query": urlencode(ground.query | {"office": office.key}),
        "whole_numbers": may(user.role, "read_list_numbers"),
    }


def _file_name(ground: Ground, office: Office, ending: str) -> str:
    name = office.list.name.strip("《》") if office.list is not None else _("名单外代缴人员")
    by = office.supplier.name if office.supplier is not None else ""
    place = ground.township.name if ground.township is not None else ground.plan.county.name
    return f"{ground.plan.coverage_year}-{place}-{by}-{name}.{ending}"


def _chosen(request: HttpRequest) -> tuple[User, Ground, Office, str]:
    try:
        user, ground = _ground(request)
    except PlanError:
        raise Http404 from None
    if ground is None or not ground.insurance:
        raise Http404
    office = _office(ground, request.GET.get("office", ""))
    show = request.GET.get("show", "taken")
    if office is None or show not in SHOWN:
        raise Http404
    if ground.search:
        raise PermissionDenied  # a list goes out whole or by village, not by somebody's name
    return user, ground, office, show


def _title(ground: Ground, office: Office) -> str:
    name = office.list.name.strip("《》") if office.list is not None else _("名单外代缴人员")
    place = ground.unit.name if ground.unit is not None else (ground.township or ground.plan.county).name
    return _("%(place)s%(year)s年度%(name)s") % {
        "place": place, "year": ground.plan.coverage_year, "name": name,
    }  # fmt: skip


@login_required
@never_cache
@require_GET
def list_workbook(request: HttpRequest) -> FileResponse:
    """A department's list as the official workbook; taking it out is in the trail."""
    user, ground, office, show = _chosen(request)
    whole = may(user.role, "read_list_numbers")
    asked = ground.asked()
    counted = 0

    def cells() -> Iterator[dict[str, Any]]:
        nonlocal counted
        rows = all_rows(
            asked, office=office.index, standings=SHOWN[show], twice=show == "twice", whole_numbers=whole
        )
        for row in rows:
            counted += 1
            yield cells_of(row, ground.insurance)

    supplier = office.supplier.name if office.supplier is not None else ""
    with tempfile.TemporaryDirectory(prefix="lists-") as folder:
        out = Path(folder) / "list.xlsx"
        table = OfficialTable(
            name_list(why=show != "taken"),
            cells(),
            _title(ground, office),
            _("报送单位：%(office)s　单位：元") % {"office": supplier},
            asked.on,
            footer=() if whole else (_("身份证号已遮盖，需要全号请由医保、人社、税务或认定部门导出。"),),
        )
        write_workbook(out, [table])
        file = out.open("rb")
    record(
        by=user, action="export.government_list", target_kind="plan", target=ground.plan.code,
        county_code=ground.plan.county.code, township_code=ground.township.code if ground.township else "",
        detail={"office": office.key, "show": show, "rows": counted, "whole_numbers": whole},
    )  # fmt: skip
    return FileResponse(
        file, as_attachment=True, filename=_file_name(ground, office, "xlsx"), content_type=XLSX
    )


@login_required
@never_cache
@require_GET
def list_paper(request: HttpRequest) -> HttpResponse:
    """The people a list pays for, as a paper to sign and seal."""
    user, ground, office, show = _chosen(request)
    asked = ground.asked()
    rows = list(
        all_rows(
            asked, office=office.index, standings=SHOWN[show], twice=show == "twice",
            whole_numbers=may(user.role, "read_list_numbers"),
        )
    )  # fmt: skip
    pdf = list_pdf(
        title=_title(ground, office),
        supplier=office.supplier.name if office.supplier is not None else "",
        rows=rows,
        on=asked.on,
    )
    record(
        by=user, action="export.government_list", target_kind="plan", target=ground.plan.code,
        county_code=ground.plan.county.code, township_code=ground.township.code if ground.township else "",
        detail={"office": office.key, "show": show, "rows": len(rows), "paper": True},
    )  # fmt: skip
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = (
        content_disposition_header(False, _file_name(ground, office, "pdf")) or ""
    )
    return response
