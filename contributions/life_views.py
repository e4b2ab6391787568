"""What a plan's page lets its posts do: publish, close. Amending has pages of its own."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from contributions.plan_views import find_plan
from subsidies.rules.source import PlanError
from subsidies.services.life import close_plan, publish_plan
from subsidies.services.messages import describe
from townships.access import user_who_may


@login_required
@require_POST
def publish(request: HttpRequest, code: str) -> HttpResponse:
    """Publish the draft that is shown; where examples fail nothing changes and the page says which."""
    user = user_who_may(request, "manage_plans")
    plan = find_plan(user, code)
    try:
        checked = publish_plan(by=user, plan=plan)
    except PlanError as error:
        messages.error(request, _("没有发布：%(why)s。") % {"why": describe(error)})
        return redirect("plans:plan", code)
    if checked.failed:
        said = _("没有发布：%(total)s 个算例有 %(n)s 个不通过，见下面的算例。改正方案文件重新载入后再发布。")
        messages.error(request, said % {"total": checked.total, "n": len(checked.failed)})
    else:
        said = _("已发布。%(total)s 个算例全部通过，正文从此不再改动；要改请写修订。")
        messages.success(request, said % {"total": checked.total})
    return redirect("plans:plan", code)


@login_required
@require_POST
def close(request: HttpRequest, code: str) -> HttpResponse:
    """Close the plan in force, for a reason."""
    user = user_who_may(request, "manage_plans")
    plan = find_plan(user, code)
    try:
        close_plan(by=user, plan=plan, reason=request.POST.get("reason", ""))
    except PlanError as error:
        messages.error(request, _("没有结束：%(why)s。") % {"why": describe(error)})
    except ValidationError as error:
        messages.error(request, _("没有结束：%(why)s") % {"why": " ".join(error.messages)})
    else:
        messages.success(request, _("方案已结束：不再登记和核定，之后到的钱照收并列入待处理。"))
    return redirect("plans:plan", code)
