"""The compose file against the published schema of compose files, and against what the portal reads.

The schema is that of the Compose Specification (Apache-2.0, licence beside it).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from portal.embedded.postgres import OLDEST_POSTGRES

PROJECT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("compose_schema") / "compose-spec.json"


def problems(composition: dict[str, Any]) -> list[str]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found = jsonschema.Draft201909Validator(schema).iter_errors(composition)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


@pytest.fixture
def composition() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def test_compose_file_follows_the_schema(composition: dict[str, Any]) -> None:
    # Extensions (x-…) hold anchors and are not validated as services.
    assert problems(composition) == []
    composition["services"]["web"]["healthchek"] = composition["services"]["web"].pop("healthcheck")
    assert problems(composition) != []


def test_every_lasting_service_is_watched_and_waits_for_what_it_needs(composition: dict[str, Any]) -> None:
    services = composition["services"]
    assert {"web", "worker", "beat", "postgres", "redis"} <= set(services)
    for name, service in services.items():
        assert "healthcheck" in service or service["restart"] == "no", name
        for needed in service.get("depends_on", {}):
            assert needed in services
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_compose_file_sets_only_what_the_portal_reads(composition: dict[str, Any]) -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for room in ("portal", "foundation")
        for path in (PROJECT / room).rglob("*.py")
    )
    for name in composition["services"]["web"]["environment"]:
        assert re.search(rf'["\']{name}["\']', code), name


def test_compose_postgres_is_one_the_portal_runs_on(composition: dict[str, Any]) -> None:
    postgres = composition["services"]["postgres"]
    assert int(postgres["image"].partition(":")[2]) >= OLDEST_POSTGRES
    assert "--locale=C.UTF-8" in postgres["environment"]["POSTGRES_INITDB_ARGS"]


def test_lock_is_hashed_and_names_no_address() -> None:
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "file:" not in lock
    packages = [line for line in lock.splitlines() if re.match(r"[a-z0-9]", line)]
    assert len(packages) > 50
    for line in packages:
        assert re.match(r"[a-z0-9.\[\]-]+==\S+( ; .+)? \\$", line), line
