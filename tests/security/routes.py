"""Every route of the portal and how to knock at it. A route that is not here fails the tests that read this table."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import URLResolver, get_resolver

from contributions.models import Charge, FundingRequest, Payment, Pledge, Sponsor
from enrollment.models import Household, Resident, ResidentPair, Transfer
from notices.models import GrantPosting, Posting
from rosters.models import Roster
from seasons.models import ArchivedFile, Confirmation
from subsidies.models import ListDelivery
from tests.api.conftest import body_for
from tests.security.conftest import Side

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True)
class Knock:
    """A request about a side: its address and, for a POST, its body."""

    path: str
    body: dict[str, Any] | None = None
    kind: str = FORM
    whole_township: bool = False
    """It names the township, of which somebody next door sees his own part."""

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def values(self) -> dict[str, Any]:
        """As the test client takes them."""
        if self.body is None:
            return {}
        data = json.dumps(self.body) if self.kind == JSON else urlencode(self.body, doseq=True)
        return {"data": data, "content_type": self.kind}


def _uuid() -> str:
    return str(uuid.uuid4())


def _payment(side: Side) -> dict[str, Any]:
    return body_for(side.rows[Charge])


def _tick(side: Side) -> dict[str, Any]:
    charge = side.rows[Charge]
    return {"client_uuid": _uuid(), "line": f"{charge.pk}:{charge.version}", "means": "qr"}


# Routes that name something of a place. Each knock is tried by every role at every side beyond its scope.
OBJECTS: dict[str, list[Callable[[Side], Knock]]] = {
    "/api/v1/villages/<str:code>/residents": [
        lambda s: Knock(f"/api/v1/villages/{s.unit.code}/residents"),
        lambda s: Knock(f"/api/v1/villages/{s.unit.code}/residents?search=%E4%BA%BA"),
    ],
    "/api/v1/residents/<int:resident>/explanation": [
        lambda s: Knock(f"/api/v1/residents/{s.pk(Resident)}/explanation"),
    ],
    "/api/v1/payments": [lambda s: Knock("/api/v1/payments", _payment(s), JSON)],
    "/api/v1/payments/<int:payment>": [lambda s: Knock(f"/api/v1/payments/{s.pk(Payment)}")],
    "/api/v1/payments/<int:payment>/slip": [lambda s: Knock(f"/api/v1/payments/{s.pk(Payment)}/slip")],
    "/api/v1/payments/<int:payment>/reverse": [
        lambda s: Knock(
            f"/api/v1/payments/{s.pk(Payment)}/reverse", {"client_uuid": _uuid(), "reason": "x"}, JSON
        ),
    ],
    "/api/v1/progress": [
        lambda s: Knock(f"/api/v1/progress?place={s.unit.code}"),
        lambda s: Knock(f"/api/v1/progress?place={s.unit.township.code}", whole_township=True),
    ],
    "/api/v1/jobs/<str:job>": [lambda s: Knock(f"/api/v1/jobs/{s.job.pk}")],
    "/village/<str:code>/": [
        lambda s: Knock(f"/village/{s.unit.code}/"),
        lambda s: Knock(f"/village/{s.unit.code}/?q=1"),
    ],
    "/village/<str:code>/<int:pk>/": [
        lambda s: Knock(f"/village/{s.unit.code}/{s.pk(Household)}/"),
        lambda s: Knock(f"/village/{s.unit.code}/{s.pk(Household)}/", _tick(s)),
    ],
    "/imports/<int:pk>/": [lambda s: Knock(f"/imports/{s.batch.pk}/")],
    "/imports/<int:pk>/columns/": [
        lambda s: Knock(f"/imports/{s.batch.pk}/columns/", {"column": "a", "field": "name"})
    ],
    "/imports/<int:pk>/check/": [lambda s: Knock(f"/imports/{s.batch.pk}/check/", {})],
    "/imports/<int:pk>/apply/": [lambda s: Knock(f"/imports/{s.batch.pk}/apply/", {})],
    "/imports/<int:pk>/abandon/": [lambda s: Knock(f"/imports/{s.batch.pk}/abandon/", {})],
    "/imports/<int:pk>/undo/": [lambda s: Knock(f"/imports/{s.batch.pk}/undo/", {})],
    "/imports/<int:pk>/findings/": [lambda s: Knock(f"/imports/{s.batch.pk}/findings/")],
    "/imports/<int:pk>/errors/": [lambda s: Knock(f"/imports/{s.batch.pk}/errors/")],
    "/imports/<int:pk>/files/<int:position>/": [lambda s: Knock(f"/imports/{s.batch.pk}/files/0/")],
    "/lists/": [
        lambda s: Knock(
            f"/lists/?plan={s.rows[Charge].plan.code}&township={s.unit.township.code}", whole_township=True
        )
    ],
    "/lists/received/": [
        lambda s: Knock(
            "/lists/received/",
            {
                "plan": s.rows[Charge].plan.code,
                "township": s.unit.township.code,
                "line": "category:disabled",
                "form": "paper",
            },
            whole_township=True,
        )
    ],
    "/lists/<int:pk>/withdraw/": [
        lambda s: Knock(f"/lists/{s.pk(ListDelivery)}/withdraw/", {}, whole_township=True)
    ],
    "/imports/returned/": [lambda s: Knock(f"/imports/returned/?batch={s.batch.pk}")],
    "/imports/returned/tell/": [
        lambda s: Knock(
            "/imports/returned/tell/", {"row": s.returned.pk, "how": "phone", "on": "2022-11-01"}
        ),
    ],
    "/imports/returned/close/": [
        lambda s: Knock("/imports/returned/close/", {"row": s.returned.pk, "reason": "x"}),
    ],
    "/jobs/<uuid:pk>/": [lambda s: Knock(f"/jobs/{s.job.pk}/")],
    "/jobs/<uuid:pk>/progress/": [lambda s: Knock(f"/jobs/{s.job.pk}/progress/")],
    "/jobs/<uuid:pk>/cancel/": [lambda s: Knock(f"/jobs/{s.job.pk}/cancel/", {})],
    "/plans/assess/": [lambda s: Knock("/plans/assess/", {"township": s.unit.township.code})],
    "/funding/<int:pk>/": [lambda s: Knock(f"/funding/{s.pk(FundingRequest)}/")],
    "/funding/<int:pk>/step/": [
        lambda s, act=act: Knock(  # type: ignore[misc]
            f"/funding/{s.pk(FundingRequest)}/step/", {"act": act, "reason": "x", "bill": "x"}
        )
        for act in ("submit", "join", "approve", "return", "withdraw", "bill", "settle")
    ],
    "/funding/<int:pk>/letter.pdf": [lambda s: Knock(f"/funding/{s.pk(FundingRequest)}/letter.pdf")],
    "/funding/<int:pk>/bill.pdf": [lambda s: Knock(f"/funding/{s.pk(FundingRequest)}/bill.pdf")],
    "/funding/<int:pk>/names.xlsx": [lambda s: Knock(f"/funding/{s.pk(FundingRequest)}/names.xlsx")],
    "/funding/<int:pk>/names.pdf": [lambda s: Knock(f"/funding/{s.pk(FundingRequest)}/names.pdf")],
    "/funding/<int:pk>/settlement.xlsx": [
        lambda s: Knock(f"/funding/{s.pk(FundingRequest)}/settlement.xlsx")
    ],
    "/funding/sponsors/<int:pk>/": [
        lambda s: Knock(f"/funding/sponsors/{s.pk(Sponsor)}/"),
        lambda s: Knock(f"/funding/sponsors/{s.pk(Sponsor)}/", {"act": "withdraw", "pledge": s.pk(Pledge)}),
    ],
    "/funding/sponsors/": [
        lambda s: Knock("/funding/sponsors/", {"unit": s.unit.code, "name": "新资助人", "kind": "other"}),
    ],
    "/funding/lists/": [
        lambda s: Knock(f"/funding/lists/?township={s.unit.township.code}", whole_township=True)
    ],
    "/funding/lists/list.xlsx": [
        lambda s: Knock(f"/funding/lists/list.xlsx?township={s.unit.township.code}", whole_township=True)
    ],
    "/funding/lists/list.pdf": [
        lambda s: Knock(f"/funding/lists/list.pdf?township={s.unit.township.code}", whole_township=True)
    ],
    "/marks/": [lambda s: Knock(f"/marks/?township={s.unit.township.code}", whole_township=True)],
    "/marks/move/": [
        lambda s: Knock("/marks/move/", {"to": "verified", "township": s.unit.township.code, "all": "1"}),
    ],
    "/rosters/": [lambda s: Knock(f"/rosters/?township={s.unit.township.code}")],
    "/rosters/generate/": [
        lambda s: Knock("/rosters/generate/", {"kind": "levy", "township": s.unit.township.code}),
    ],
    "/rosters/township/<str:code>.zip": [
        lambda s: Knock(f"/rosters/township/{s.unit.township.code}.zip?kind=payment")
    ],
    "/rosters/compare/": [lambda s: Knock(f"/rosters/compare/?township={s.unit.township.code}")],
    "/rosters/compare.xlsx": [lambda s: Knock(f"/rosters/compare.xlsx?township={s.unit.township.code}")],
    "/rosters/<int:pk>/": [lambda s: Knock(f"/rosters/{s.pk(Roster)}/")],
    "/rosters/<int:pk>/workbook.xlsx": [lambda s: Knock(f"/rosters/{s.pk(Roster)}/workbook.xlsx")],
    "/notices/": [lambda s: Knock(f"/notices/?township={s.unit.township.code}")],
    "/notices/create/": [
        lambda s: Knock("/notices/create/", {"roster": s.pk(Roster)}),
        lambda s: Knock(
            "/notices/create/", {"township": s.unit.township.code, "plan": s.rows[Charge].plan.code}
        ),
    ],
    "/notices/<int:pk>/posted/": [
        lambda s: Knock(f"/notices/{s.pk(Posting)}/posted/", {"day": "2022-11-30", "place": "x"})
    ],
    "/notices/<int:pk>/removed/": [
        lambda s: Knock(f"/notices/{s.pk(Posting)}/removed/", {"day": "2022-12-30"})
    ],
    "/notices/grants/": [
        lambda s: Knock(f"/notices/grants/?township={s.unit.township.code}", whole_township=True)
    ],
    "/notices/grants/create/": [
        lambda s: Knock(
            "/notices/grants/create/",
            {"township": s.unit.township.code, "plan": s.rows[Charge].plan.code, "list": "x"},
            whole_township=True,
        )
    ],
    "/notices/grants/<int:pk>/posted/": [
        lambda s: Knock(f"/notices/grants/{s.pk(GrantPosting)}/posted/", {})
    ],
    "/notices/grants/<int:pk>/removed/": [
        lambda s: Knock(f"/notices/grants/{s.pk(GrantPosting)}/removed/", {})
    ],
    "/notices/grants/<int:pk>/paper.pdf": [
        lambda s: Knock(f"/notices/grants/{s.pk(GrantPosting)}/paper.pdf")
    ],
    "/notices/<int:pk>/<str:insurance>.pdf": [lambda s: Knock(f"/notices/{s.pk(Posting)}/medical.pdf")],
    "/progress/<slug:code>/": [lambda s: Knock(f"/progress/{s.unit.township.code}/", whole_township=True)],
    "/progress/<slug:code>/<slug:unit_code>/": [
        lambda s: Knock(f"/progress/{s.unit.township.code}/{s.unit.code}/"),
    ],
    "/seasons/archive/<int:pk>/": [
        lambda s: Knock(f"/seasons/archive/{ArchivedFile.objects.get(name=f'{s.name}.xlsx').pk}/"),
    ],
    "/seasons/<slug:code>/confirm/": [
        lambda s: Knock(f"/seasons/{s.rows[Charge].plan.code}/confirm/?township={s.unit.township.code}"),
    ],
    "/seasons/<slug:code>/confirm.xlsx": [
        lambda s: Knock(f"/seasons/{s.rows[Charge].plan.code}/confirm.xlsx?township={s.unit.township.code}"),
    ],
    "/seasons/<slug:code>/confirm/decide/": [
        lambda s: Knock(
            f"/seasons/{s.rows[Charge].plan.code}/confirm/decide/",
            {"line": s.pk(Confirmation), "decision": "leave_out"},
        ),
    ],
}


def _one_pair(side: Side) -> str:
    """Two records of the side's unit: its resident, and a neighbour who is somebody else."""
    return f"/register/doubles/{side.pk(Resident)}/{side.pk(Resident) + 1}/"


def _register_list(address: str) -> Callable[[Side], Knock]:
    return lambda s: Knock(f"/register/{address}?township={s.unit.township.code}", whole_township=True)


ACTS_ON_RESIDENTS = (
    "enrol",
    "tier",
    "close",
    "reopen",
    "move",
    "transfer",
    "name",
    "number",
    "leave",
    "return",
    "death",
)
OBJECTS["/register/residents/<int:pk>/<slug:slug>/"] = [
    *[lambda s, a=act: Knock(f"/register/residents/{s.pk(Resident)}/{a}/") for act in ACTS_ON_RESIDENTS],
    *[lambda s, a=act: Knock(f"/register/residents/{s.pk(Resident)}/{a}/", {"on": "2022-11-01"}) for act in ACTS_ON_RESIDENTS],
]  # fmt: skip
OBJECTS["/register/households/<int:pk>/"] = [lambda s: Knock(f"/register/households/{s.pk(Household)}/")]
OBJECTS["/register/households/<int:pk>/<slug:slug>/"] = [
    *[lambda s, a=act: Knock(f"/register/households/{s.pk(Household)}/{a}/") for act in ("split", "join", "head")],
    lambda s: Knock(f"/register/households/{s.pk(Household)}/join/", {"number": "1"}),
]  # fmt: skip
OBJECTS["/register/transfers/<uuid:party>/"] = [
    lambda s: Knock(f"/register/transfers/{s.rows[Transfer].party}/"),
]
OBJECTS["/register/transfers/<uuid:party>/answer/"] = [
    lambda s: Knock(
        f"/register/transfers/{s.rows[Transfer].party}/answer/", {"act": "decline", "answer": ""}
    ),
]
OBJECTS["/register/doubles/<int:one>/<int:other>/"] = [lambda s: Knock(_one_pair(s))]
OBJECTS["/register/merges/<int:pk>/undo/"] = [
    lambda s: Knock(f"/register/merges/{s.pk(ResidentPair)}/undo/"),
]
for _address in ("doubles/", "police/", "compare/", "compare/workbook.xlsx"):
    OBJECTS[f"/register/{_address}"] = [_register_list(_address)]

# Routes whose answer depends on who asks alone: nothing beyond his scope may stand in it.
LISTS: dict[str, Knock] = {
    "/": Knock("/"),
    "/home/": Knock("/home/"),
    "/api/v1/me": Knock("/api/v1/me"),
    "/api/v1/auth/token": Knock("/api/v1/auth/token", {"username": "x", "password": "y"}, JSON),
    "/api/schema/": Knock("/api/schema/"),
    "/api/docs/": Knock("/api/docs/"),
    "/imports/": Knock("/imports/"),
    "/register/new/": Knock("/register/new/"),
    "/register/transfers/": Knock("/register/transfers/"),
    "/register/places/": Knock("/register/places/"),
    "/imports/returned/": Knock("/imports/returned/"),
    "/lists/": Knock("/lists/"),
    "/progress/": Knock("/progress/"),
    # A plan is a public paper of its county: one side's is every side's there. Budgets are sums of the own places.
    "/plans/": Knock("/plans/"),
    "/plans/what-if/": Knock("/plans/what-if/"),
    "/plans/differences/": Knock("/plans/differences/"),
    "/plans/differences/workbook.xlsx": Knock("/plans/differences/workbook.xlsx"),
    "/plans/<slug:code>/": Knock("/plans/shanting-2023/"),
    "/plans/<slug:code>/publish/": Knock("/plans/shanting-2023/publish/", {}),
    "/plans/<slug:code>/close/": Knock("/plans/shanting-2023/close/", {"reason": "x"}),
    "/plans/<slug:code>/amend/": Knock("/plans/shanting-2023/amend/"),
    "/plans/<slug:code>/amendment/": Knock("/plans/shanting-2023/amendment/"),
    "/plans/<slug:code>/amendment/examples/": Knock("/plans/shanting-2023/amendment/examples/", {}),
    "/plans/<slug:code>/amendment/preview/": Knock("/plans/shanting-2023/amendment/preview/", {}),
    "/plans/<slug:code>/amendment/effect/": Knock(
        "/plans/shanting-2023/amendment/effect/", {"effective_on": "2022-11-30", "seen": "1"}
    ),
    "/plans/<slug:code>/amendment/withdraw/": Knock("/plans/shanting-2023/amendment/withdraw/", {}),
    "/plans/<slug:code>/amendment/people/": Knock("/plans/shanting-2023/amendment/people/"),
    "/plans/<slug:code>/amendment/people/workbook.xlsx": Knock(
        "/plans/shanting-2023/amendment/people/workbook.xlsx"
    ),
    "/plans/<slug:code>/compare/": Knock("/plans/shanting-2023/compare/"),
    "/plans/<slug:code>/what-if/": Knock("/plans/shanting-2023/what-if/?a.medical.personal=380"),
    "/plans/<slug:code>/what-if/workbook.xlsx": Knock(
        "/plans/shanting-2023/what-if/workbook.xlsx?a.medical.personal=380"
    ),
    "/seasons/": Knock("/seasons/?plan=shanting-2023"),
    "/seasons/<slug:code>/summary/": Knock("/seasons/shanting-2023/summary/"),
    "/seasons/<slug:code>/summary.xlsx": Knock("/seasons/shanting-2023/summary.xlsx"),
    "/seasons/<slug:code>/summary.pdf": Knock("/seasons/shanting-2023/summary.pdf"),
    "/seasons/<slug:code>/close/": Knock("/seasons/shanting-2023/close/"),
    "/seasons/<slug:code>/reopen/": Knock("/seasons/shanting-2023/reopen/", {"reason": "xxxx"}),
    "/seasons/<slug:code>/open/": Knock("/seasons/shanting-2023/open/", {"source": "shanting-2023"}),
    "/funding/": Knock("/funding/"),
    "/funding/make/": Knock("/funding/make/", {}),
    "/funding/budget/": Knock("/funding/budget/"),
    "/funding/budget/budget.xlsx": Knock("/funding/budget/budget.xlsx"),
    "/funding/payers/": Knock("/funding/payers/"),
    "/favicon.ico": Knock("/favicon.ico"),
    "/demo/enter/": Knock("/demo/enter/", {"role": "admin"}),
    "/admin/": Knock("/admin/"),
    "/admin/search/": Knock("/admin/search/?s=%E4%B8%99%E8%BE%9B"),
    "/admin/find/": Knock("/admin/find/", {"q": "1"}),
    "/admin/login/": Knock("/admin/login/"),
    "/admin/autocomplete/": Knock(
        "/admin/autocomplete/?app_label=enrollment&model_name=membership&field_name=resident&term="
    ),
    "/admin/jsi18n/": Knock("/admin/jsi18n/"),
    "/admin/password_change/": Knock("/admin/password_change/"),
    "/admin/password_change/done/": Knock("/admin/password_change/done/"),
    "/admin/(?P<url>.*)$": Knock("/admin/nothing/of/the/kind/"),
}
# These end or change the session and show nothing; the door's tests hold them.
SESSION = {"/sign-out/", "/language/", "/admin/logout/"}

# Models with lists in the office. "places": rows of a place, 404 beyond it. "county": 404 beyond the county.
# "shared": divisions, plans and categories that every office may read. "closed": nobody's, whoever asks.
OFFICE: dict[str, str] = {
    "enrollment.resident": "places", "enrollment.household": "places", "enrollment.membership": "places",
    "enrollment.familyrecord": "places", "enrollment.registration": "places", "enrollment.priorpayment": "places",
    "contributions.charge": "places",
    "contributions.assessment": "places", "contributions.payment": "places", "contributions.paymentcase": "places",
    "contributions.taxentry": "places", "rosters.roster": "places", "notices.posting": "places",
    "jobs.job": "county", "imports.importbatch": "county", "imports.returnedrow": "county",
    "audit.auditevent": "county", "townships.user": "county", "townships.device": "county",
    "townships.township": "shared", "townships.village": "shared", "townships.collectingunit": "shared",
    "townships.agency": "shared", "enrollment.category": "shared", "enrollment.collectionplan": "shared",
    "enrollment.target": "shared", "enrollment.tier": "shared", "subsidies.rule": "shared",
    "auth.group": "closed", "authtoken.tokenproxy": "closed", "axes.accessattempt": "closed",
    "axes.accesslog": "closed", "axes.accessfailurelog": "closed",
}  # fmt: skip
# What the admin hangs below each model; anything else below /admin/ has to be named in LISTS.
BELOW_A_MODEL = {
    "", "add/", "import/", "process_import/", "export/", "<path:object_id>/", "<path:object_id>/history/",
    "<path:object_id>/delete/", "<path:object_id>/change/",
}  # fmt: skip
BESIDE_THE_MODELS = {"/admin/r/<path:content_type_id>/<path:object_id>/"}


def routes(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """The pattern of every route, walked."""
    for entry in (resolver or get_resolver()).url_patterns:
        pattern = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, pattern)
        else:
            yield pattern


def office_pages() -> dict[str, str]:
    """Pattern → model label of every page the admin hangs below a model."""
    return {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/{page}": model._meta.label_lower
        for model in admin.site._registry
        for page in BELOW_A_MODEL
    }
