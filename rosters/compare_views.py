"""Who stands in one roster and not in another, with the reason: a page and a workbook, one township at a time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final, overload

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from enrollment.models import CollectionPlan, Insurance
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number
from foundation.sheets import OfficialTable, write_workbook
from rosters.comparing import (
    PAIRS,
    Comparison,
    Pair,
    both_sealed,
    counts,
    people,
    reason_word,
    reasons,
    strangers,
)
from rosters.layouts import COMPARED
from rosters.queries import plans_of
from rosters.rules import safe_name
from rosters.services.export import Detail
from rosters.views import XLSX, insurance_named, plan_named, townships_seen
from townships.access import user_who_may
from townships.models import CollectingUnit, Township, User

PER_PAGE: Final = 100


class _Asked:
    """What an address asks: plan, township, pair, insurance, reason. 404 for what is not the user's."""

    def __init__(self, user: User, data: Any) -> None:
        plan = plan_named(user, data.get("plan", ""))
        if plan is None:
            raise Http404
        self.plan: CollectionPlan = plan
        self.townships = townships_seen(user, plan)
        code = data.get("township", "")
        self.township: Township | None = next((t for t in self.townships if t.code == code), None)
        if code and self.township is None:
            raise Http404
        if self.township is None and self.townships:
            self.township = self.townships[0]
        self.insurance = insurance_named(plan, data.get("insurance", ""))
        named = data.get("pair", "")
        self.pair = Pair(named) if named in set(Pair) else Pair.GONE
        self.why = data.get("why", "")[:40]
        units = (
            CollectingUnit.objects.visible_to(user)
            .filter(township=self.township)
            .values_list("pk", flat=True)
        )
        self.comparison = Comparison(plan, list(units), self.insurance)

    def query(self, **changed: str) -> str:
        """The address's parameters with some changed."""
        values = {
            "plan": self.plan.code, "township": self.township.code if self.township else "",
            "insurance": self.insurance, "pair": self.pair.value, "why": self.why, **changed,
        }  # fmt: skip
        return urlencode({key: value for key, value in values.items() if value})


class _Lazy(Sequence[dict[str, Any]]):
    """The people of a pair as a sequence a paginator can cut: counted once, read a page at a time."""

    def __init__(self, asked: _Asked, total: int) -> None:
        self._asked, self._total = asked, total

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, part: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, part: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, part: int | slice) -> Any:
        if isinstance(part, int):
            return self[part : part + 1][0]
        return people(
            self._asked.comparison,
            self._asked.pair,
            why=self._asked.why,
            offset=part.start,
            limit=part.stop - part.start,
        )


@login_required
@never_cache
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """A township's people who stand in one roster and not in another, by pair and reason."""
    user = user_who_may(request, "read_rosters")
    asked = _Asked(user, request.GET)
    found = counts(asked.comparison)
    why = reasons(asked.comparison, asked.pair)
    total = sum(n for code, n in why if not asked.why or code == asked.why)
    page = Paginator(_Lazy(asked, total), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "plan": asked.plan,
        "plans": list(plans_of(user.county_id or 0)),
        "township": asked.township,
        "townships": asked.townships,
        "insurance": asked.insurance,
        "insurances": [(name, Insurance(name).label) for name in asked.plan.insurances],
        "pairs": [
            (pair, title, note, found[pair], asked.query(pair=pair.value, why=""))
            for pair, (title, note) in PAIRS.items()
        ],
        "pair": asked.pair,
        "title": PAIRS[asked.pair][0],
        "reasons": [
            (code, reason_word(code), n, asked.query(why="" if code == asked.why else code))
            for code, n in why
        ],
        "why": asked.why,
        "compared": len(both_sealed(asked.comparison, asked.pair)),
        "units": len(asked.comparison.units),
        "page": page,
        "lines": [_line(row) for row in page],
        "strangers": strangers(asked.comparison)[:PER_PAGE] if asked.pair == Pair.GONE else [],
        "query": asked.query(),
    }
    return render(request, "rosters/compare.html", context)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    sealed = row["number_encrypted"]
    return row | {
        "tail": mask_number(get_keyring().decrypt(sealed), Audience.OFFICE)[-2:] if sealed else "",
        "why": reason_word(row["why"]),
        "insurance": Insurance(row["insurance"]).label,
    }


@login_required
@never_cache
@require_GET
def compare_workbook(request: HttpRequest) -> HttpResponse:
    """All pairs of a township as sheets of an official workbook; taking it out is in the audit trail."""
    user = user_who_may(request, "read_rosters")
    asked = _Asked(user, request.GET)
    if asked.township is None:
        raise Http404
    detail, keys = Detail.of_role(user.role), get_keyring()
    head = _("%(place)s%(year)s年度清册对照") % {
        "place": asked.township.name,
        "year": asked.plan.coverage_year,
    }

    def cells(row: dict[str, Any]) -> dict[str, object]:
        number = keys.decrypt(row["number_encrypted"]) if row["number_encrypted"] else ""
        return row | {
            "number": number if detail.numbers else mask_number(number, Audience.TABLET),
            "insurance": str(Insurance(row["insurance"]).label),
            "why": reason_word(row["why"]),
        }

    tables = [
        OfficialTable(
            COMPARED, [cells(row) for row in people(asked.comparison, pair)], f"{head}：{title}", str(note),
            business_date(asked.plan.county.code), str(title),
            page_note=f"{user.get_username()} {timezone.localtime():%Y-%m-%d %H:%M}",
        )
        for pair, (title, note) in PAIRS.items()
    ]  # fmt: skip
    unknown = [cells(row | {"why": "not_in_register"}) for row in strangers(asked.comparison)]
    if unknown:
        tables.append(
            OfficialTable(
                COMPARED, unknown, f"{head}：{_('上年缴了，登记库里没有')}", "", business_date(asked.plan.county.code),
                _("登记库里没有"),
            )
        )  # fmt: skip
    buffer = io.BytesIO()
    written = write_workbook(buffer, tables)
    record(
        by=user, action="roster.compare_export", target_kind="plan", target=asked.plan.code,
        county_code=asked.plan.county.code, township_code=asked.township.code,
        detail={"lines": sum(each.lines for each in written), "whole_numbers": detail.numbers},
    )  # fmt: skip
    response = HttpResponse(buffer.getvalue(), content_type=XLSX)
    response["Content-Disposition"] = content_disposition_header(True, safe_name(head) + ".xlsx")
    return response
