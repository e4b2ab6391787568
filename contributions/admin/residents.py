"""The resident's list and page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from contributions.admin.resident_page import Standing, age_on, resident_page, standings
from contributions.register.acts import acts_for
from contributions.services.assess import assess
from enrollment.admin import search_people
from enrollment.models import CollectionPlan, Resident
from enrollment.services.register import correct_resident, open_numbers, read_number
from foundation.clock.services import business_date
from foundation.encryption import get_keyring
from foundation.http import Problem
from foundation.masking import Audience, number_tail
from foundation.office import ScopedModelAdmin
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.admin_base import TownshipFilter, UnitFilter, signed_in
from townships.rules import CHANGE, may

_OPEN = "numbers_open"


def numbers_open_until(request: HttpRequest, unit: int) -> datetime | None:
    """Until when the person may read a unit's full numbers; None when not, or no longer."""
    until = request.session.get(_OPEN, {}).get(str(unit))
    moment = datetime.fromisoformat(until) if until else None
    return moment if moment is not None and moment > timezone.now() else None


class ResidentList(ChangeList):
    """A page of residents with where each stands: a fixed number of queries, whatever the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = standings([row.pk for row in self.result_list])
        today = business_date(signed_in(request).county_code)
        for row in self.result_list:
            row.age = age_on(row.birth_date, today)
            row.medical = found.get((row.pk, "medical"))
            row.pension = found.get((row.pk, "pension"))


@admin.register(Resident)
class ResidentAdmin(ScopedModelAdmin):
    """居民."""

    list_display = ("name", "place", "house", "about", "tail", "medical", "pension")
    list_filter = (TownshipFilter, UnitFilter, ("sex", ChoicesDropdownFilter))
    list_select_related = ("unit", "township", "household")
    search_fields = ("name",)
    search_help_text = gettext_lazy("姓名、首字母、身份证号或后四位、电话后四位")
    # Village by village, then by pinyin: the order of an index, so that the first page of a county costs no sort.
    ordering = ("unit_id", "initials")
    audit_kind = "resident"

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return super().narrow(queryset, user).filter(merged_into=None)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ResidentList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search_people(request, queryset, search_term)

    @display(description=gettext_lazy("村居"))
    def place(self, resident: Resident) -> str:
        """Township and unit."""
        return f"{resident.township.name} {resident.unit.name}"

    @display(description=gettext_lazy("组、门牌、户主"))
    def house(self, resident: Resident) -> str:
        """Where on the round, and whose house."""
        home = resident.household
        if home is None:
            return "—"
        return " ".join(part for part in (home.group_name, home.house_number, home.head_name) if part)

    @display(description=gettext_lazy("性别年龄"))
    def about(self, resident: Any) -> str:
        """Sex and age."""
        age = _("%(age)s 岁") % {"age": resident.age} if resident.age is not None else ""
        return f"{resident.get_sex_display()} {age}".strip()

    @display(description=gettext_lazy("证号尾"))
    def tail(self, resident: Resident) -> str:
        """Two digits."""
        if resident.number_encrypted is None:
            return "—"
        return number_tail(get_keyring().decrypt(resident.number_encrypted), Audience.OFFICE)

    @display(description=gettext_lazy("医疗"))
    def medical(self, resident: Any) -> SafeString | str:
        """What is due and where it stands."""
        return _cell(resident.medical)

    @display(description=gettext_lazy("养老"))
    def pension(self, resident: Any) -> SafeString | str:
        """What is due and where it stands."""
        return _cell(resident.pension)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one resident; what may be done there comes back as ``act``."""
        resident = self.get_object(request, object_id)
        if resident is None or not self.has_view_permission(request, resident):
            raise Http404
        if request.method == "POST":
            return self._act(request, resident)
        user = signed_in(request)
        until = numbers_open_until(request, resident.unit_id)
        context = {
            **resident_page(user, resident),
            "numbers_until": until,
            "number": read_number(by=user, resident=resident) if until else "",
            "may_reveal": may(user.role, "reveal_number"),
            "may_correct": self._permits(request, CHANGE) and self._held(user, resident),
            "acts": acts_for(user, resident),
            "may_assess": may(user.role, "assess"),
            **(extra_context or {}),
        }
        response = TemplateResponse(request, "office/resident.html", context)
        response.own_page = True  # type: ignore[attr-defined]
        return response

    def _held(self, user: Any, resident: Resident) -> bool:
        return Resident.objects.held_by(user).filter(pk=resident.pk).exists()

    def _act(self, request: HttpRequest, resident: Resident) -> HttpResponse:
        act = request.POST.get("act", "")
        acts = {"correct": self._correct, "open-numbers": self._open_numbers, "assess": self._assess}
        if act not in acts:
            raise Http404
        try:
            acts[act](request, resident)
        except ValidationError as error:
            messages.error(request, _("没有改动：%(why)s") % {"why": " ".join(error.messages)})
        except Problem as problem:
            messages.error(request, problem.message)
        except Resident.DoesNotExist:  # seen here for the season he paid here, kept where he lives
            raise Http404 from None
        return HttpResponseRedirect(request.path)

    def _correct(self, request: HttpRequest, resident: Resident) -> None:
        if not self._permits(request, CHANGE):
            raise PermissionDenied
        data = request.POST
        correct_resident(
            by=signed_in(request), resident=resident.pk, phone=data.get("phone") or None,
            address=data.get("address"), nickname=data.get("nickname"),
            household_number=data.get("household_number") or None,
        )  # fmt: skip
        messages.success(request, _("已改好，经过里有记录。"))

    def _open_numbers(self, request: HttpRequest, resident: Resident) -> None:
        until = open_numbers(by=signed_in(request), unit=resident.unit, reason=request.POST.get("reason", ""))
        request.session[_OPEN] = {
            **request.session.get(_OPEN, {}), str(resident.unit_id): until.isoformat(),
        }  # fmt: skip
        messages.success(
            request,
            _("%(unit)s的全号可以看到 %(time)s，每看一次都有记录。")
            % {"unit": resident.unit.name, "time": timezone.localtime(until).strftime("%H:%M")},
        )

    def _assess(self, request: HttpRequest, resident: Resident) -> None:
        user = signed_in(request)
        if not may(user.role, "assess"):
            raise PermissionDenied
        plan = (
            CollectionPlan.objects.in_force()
            .filter(county_id=resident.county_id)
            .order_by("-coverage_year", "-version")
            .first()
        )
        if plan is None:
            raise ValidationError(_("还没有载入方案。"))
        try:
            result = assess(by=user, plan=plan, residents=[resident.pk])
        except PlanError as error:
            raise ValidationError(describe(error)) from None
        if result.changed:
            messages.success(request, _("已按方案重新核定，应缴有变化，见下面。"))
        else:
            messages.success(request, _("已按方案重新核定，应缴没有变化。"))


def _cell(found: tuple[Any, Standing] | None) -> SafeString | str:
    if found is None:
        return "—"
    _charge, standing = found
    amount = f"{standing.due:,.2f}" if standing.due else ""
    return format_html(
        '<span class="num">{}</span> <span class="state {}">{}</span>', amount, standing.css, standing.word
    )
