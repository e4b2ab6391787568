"""The API describes itself, and its readable page needs nobody else's server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.api.conftest import Season, session_of


def _paths(resolver: URLResolver, before: str = "/") -> list[str]:
    found: list[str] = []
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        found += _paths(entry, path) if isinstance(entry, URLResolver) else [path]
    return found


@pytest.fixture
def signed_in(season: Season) -> Client:
    return session_of(season.cast.user("auditor")).client


def test_every_endpoint_is_described(signed_in: Client) -> None:
    """OpenAPI 3 at /api/schema/, with each route below /api/v1/ and a shape for what it answers."""
    answer = signed_in.get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    schema: dict[str, Any] = answer.json()
    assert schema["openapi"].startswith("3.")
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", p) for p in _paths(get_resolver()) if p.startswith("/api/v1/")
    }
    assert set(schema["paths"]) == routes
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing"
            for status, response in operation["responses"].items():
                assert "content" in response or status == "204", f"{method} {path} {status} has no shape"


def test_the_readable_page_uses_only_our_own_files(signed_in: Client) -> None:
    """No address of another server in it; scripts and styles are there; nothing inline for the policy to forbid."""
    page = signed_in.get("/api/docs/")
    html = page.content.decode()
    assert page.status_code == 200
    assert "://" not in html
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    policy = page["Content-Security-Policy"]
    assert "script-src 'self';" in f"{policy};"
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        file = signed_in.get(address.replace("&amp;", "&"))
        assert file.status_code == 200, address
        assert b"".join(file), address  # read to its end, which closes the file


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_nobody_reads_neither(db: None, path: str) -> None:
    assert Client().get(path).status_code in {302, 401}
