"""Asking for an assessment: the job's own page shows it live and leads back to where it was asked for."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from contributions.services.assess_job import newest_plan, request_assessment
from contributions.services.reassess import request_reassessment
from foundation.jobs.models import Job
from townships.access import user_who_may
from townships.models import CollectingUnit, Township, User


@login_required
@require_POST
def assess(request: HttpRequest) -> HttpResponse:
    """Queue the assessing of a plan for the user's places, or for one township of them.

    With ``touched`` only those whose facts changed since the last assessment, under every plan that runs.
    """
    user = user_who_may(request, "assess")
    if request.POST.get("touched"):
        return _follow(request, _touched(user))
    plan = newest_plan(user, request.POST.get("plan", ""))
    if plan is None:
        raise Http404
    township = None
    if code := request.POST.get("township", ""):
        seen = CollectingUnit.objects.visible_to(user).filter(township__county=plan.county).values("township")
        township = Township.objects.filter(pk__in=seen, code=code).first()
        if township is None:
            raise Http404
    return _follow(request, request_assessment(by=user, plan=plan, township=township))


def _touched(user: User) -> Job:
    if user.county is None:
        raise Http404
    return request_reassessment(by=user, county=user.county, places=user.scope_places())


def _follow(request: HttpRequest, job: Job) -> HttpResponse:
    # the job's page follows no address that is not ours
    back = urlencode({"next": request.POST.get("next", "")})
    return redirect(f"{reverse('jobs:page', args=[job.pk])}?{back}")
