"""Root URLs. Apps are named by string alone."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal import views

portal_patterns: list[URLPattern | URLResolver] = [
    path("", views.door, name="door"),
    path("home/", views.home, name="home"),
    path("demo/enter/", views.demonstration_enter, name="demonstration-enter"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("language/", set_language, name="language"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((portal_patterns, "portal"))),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}img/logo.svg")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs/",
        login_required(
            SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="portal/api_docs.html")
        ),
        name="api-docs",
    ),
]

# Prefix and module of every app's pages and endpoints.
APPS = [
    ("api/v1/", "townships.api_urls"),
    ("api/v1/", "contributions.api_urls"),
    ("api/v1/", "progress.api_urls"),
    ("api/v1/", "foundation.jobs.api_urls"),
    ("village/", "contributions.urls"),
    ("plans/", "contributions.plan_urls"),
    ("funding/", "contributions.funding_urls"),
    ("marks/", "contributions.mark_urls"),
    ("register/", "contributions.register_urls"),
    ("imports/", "foundation.imports.urls"),
    ("lists/", "subsidies.urls"),
    ("jobs/", "foundation.jobs.urls"),
    ("rosters/", "rosters.urls"),
    ("notices/", "notices.urls"),
    ("progress/", "progress.urls"),
    ("seasons/", "seasons.urls"),
]
urlpatterns += [path(prefix, include(module)) for prefix, module in APPS]
