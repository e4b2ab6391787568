"""Rows that went back: by list, reason, age and deadline; the persons told, the rows closed, one or many at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from foundation.clock.services import business_date
from foundation.imports.engine.tables import sheet_named
from foundation.imports.kinds import ImportRefused, kinds_for
from foundation.imports.models import ReturnedRow, ToldHow
from foundation.imports.queries import Filter, OpenList, lately_closed, open_lists, open_rows, reasons_of
from foundation.imports.services.returned import Returned, close_rows, shown_row, tell_rows
from foundation.imports.views.batch import AT_ONCE
from foundation.imports.views.shared import readable_kinds, takes_home
from foundation.imports.words import advice, reason

_PER_PAGE: Final = 50
_AT_ONCE: Final = 5_000


@login_required
@never_cache
@require_GET
def returned(request: HttpRequest) -> HttpResponse:
    """The page 退回行: what is open, what is late, whom nobody has told."""
    readable_kinds(request)
    user: Any = request.user
    today = business_date(user.county_code)
    wanted = Filter.of(request.GET)
    lists = open_lists(user, today)
    rows = open_rows(user, wanted, lists)
    if wanted.batch is not None and wanted.batch not in {each.batch.pk for each in lists}:
        _check_batch(user, wanted.batch)
    page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page"))
    chosen = next((each for each in lists if each.batch.pk == wanted.batch), None)
    by_pk = {each.batch.pk: each for each in lists}
    corrected, closed = lately_closed(user)
    context = {
        "wanted": wanted,
        "lists": lists,
        "chosen": chosen,
        "reasons": reasons_of(open_rows(user, Filter(batch=wanted.batch), lists)),
        "reason": reason(wanted.code) if wanted.code else "",
        "advice": advice(wanted.code) if wanted.code else "",
        "page": page,
        "rows": _shown(list(page), by_pk),
        "figures": _figures(lists, corrected, closed),
        "query": _query(wanted),
        "narrowed": _query(wanted),
        "may_act": _may_act(user),
        "may_download": chosen is not None and takes_home(request, chosen.batch),
        "is_large": chosen is not None and chosen.batch.read_count > AT_ONCE,
        "ways": ToldHow.choices,
        "today": today,
    }
    return render(request, "imports/returned.html", context)


def _check_batch(user: Any, pk: int) -> None:
    """A list without open rows is shown empty; one beyond the person's sight is not there."""
    if not ReturnedRow.objects.visible_to(user).filter(batch_id=pk).exists():
        raise Http404


def _shown(rows: list[ReturnedRow], lists: dict[int, OpenList]) -> list[tuple[Returned, OpenList | None]]:
    """The page's rows with their lists; a row of somebody else's list says less."""
    batches = [lists[pk].batch for pk in {row.batch_id for row in rows} if pk in lists]
    prefetch_related_objects(batches, "files")
    sheets = {batch.pk: sheet_named(batch) for batch in batches}
    shown = []
    for row in rows:
        found = lists.get(row.batch_id)
        sheet = sheets[row.batch_id](row.file) if row.batch_id in sheets else ""
        shown.append((shown_row(row, sheet=sheet, own=found is not None and found.own), found))
    return shown


def _figures(lists: list[OpenList], corrected: int, closed: int) -> dict[str, int]:
    return {
        "open": sum(each.open for each in lists),
        "overdue": sum(each.open for each in lists if each.overdue),
        "untold": sum(each.untold for each in lists),
        "corrected": corrected,
        "closed": closed,
    }


def _may_act(user: Any) -> bool:
    return bool(kinds_for(user))


def _query(wanted: Filter) -> str:
    values = {
        "batch": wanted.batch or "",
        "code": wanted.code,
        "told": wanted.told,
        "overdue": "1" if wanted.overdue else "",
    }
    return urlencode({name: value for name, value in values.items() if value})


def _chosen(request: HttpRequest, *, own: bool) -> list[ReturnedRow]:
    """The rows ticked, or all that the page was narrowed to; ``own`` takes those of the sender's own files alone.

    Raises Http404 for a row beyond the person's sight, ImportRefused for one of somebody else's file.
    """
    user: Any = request.user
    visible: QuerySet[ReturnedRow] = ReturnedRow.objects.visible_to(user)
    if request.POST.get("all"):
        wanted = Filter.of(request.POST)
        lists = open_lists(user, business_date(user.county_code)) if wanted.overdue else []
        visible = open_rows(user, wanted, lists)
    else:
        ticked = [
            int(pk) for pk in request.POST.getlist("row") if pk.isascii() and pk.isdigit() and len(pk) < 19
        ]
        visible = visible.filter(pk__in=ticked[:_AT_ONCE])
        if len(set(ticked)) != visible.count():
            raise Http404
    if own:
        kinds = [kind.name for kind in kinds_for(user)]
        sent = visible.filter(pk__in=ReturnedRow.objects.sent_by(user).values("pk"), batch__kind__in=kinds)
        if not request.POST.get("all") and sent.count() != visible.count():
            raise ImportRefused(_("别的单位的名单由报送单位销掉；您可以记下已告知本人。什么都没有变"))
        visible = sent
    return list(visible.order_by("pk")[:_AT_ONCE])


def _act(request: HttpRequest, what: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, what())
    except ImportRefused as error:
        messages.error(request, str(error))
    query = _query(Filter.of(request.POST))
    return redirect(f"{reverse('imports:returned')}{f'?{query}' if query else ''}")


@login_required
@require_POST
def close(request: HttpRequest) -> HttpResponse:
    """Close rows with what came of them."""
    if not _may_act(request.user):
        raise PermissionDenied

    def do() -> str:
        rows = _chosen(request, own=True)
        done = close_rows(by=request.user, rows=rows, reason=request.POST.get("reason", ""))
        return _("已销掉 %(n)s 行") % {"n": f"{done:,}"}

    return _act(request, do)


@login_required
@require_POST
def tell(request: HttpRequest) -> HttpResponse:
    """Note that the persons of rows were told."""
    if not _may_act(request.user):
        raise PermissionDenied
    user: Any = request.user
    today = business_date(user.county_code)

    def do() -> str:
        rows = _chosen(request, own=False)
        on = _day(request.POST.get("on", ""), today)
        done = tell_rows(by=user, rows=rows, on=on, how=request.POST.get("how", ""), today=today)
        return _("已记下告知 %(n)s 人") % {"n": f"{done:,}"}

    return _act(request, do)


def _day(text: str, today: date) -> date:
    try:
        day = parse_date(text) if text else today
    except ValueError:
        day = None
    if day is None:
        raise ImportRefused(_("告知日期不对，写成 2022-11-28 这样"))
    return day
