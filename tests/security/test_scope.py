"""Whoever asks gets nothing beyond his places: every route × every role × every foreign side, and with one wall down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model, QuerySet
from django.urls import reverse

from foundation.audit.models import AuditEvent
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.jobs.models import Job
from foundation.scope.context import places_scope
from foundation.scope.models import ScopedQuerySet
from foundation.scope.places import Places
from foundation.scope.walls import guarded_models
from progress.models import FigureQuerySet
from tests.security import routes as table
from tests.security.conftest import OUTER, Side, World, shown
from townships.models import CollectingUnitQuerySet, Device, Role, Township, User

ROLES = [*Role.values, "nobody"]


def test_every_route_is_in_the_table() -> None:
    """A new route is knocked at by every role, or somebody says why not."""
    office = table.office_pages()
    known = {*table.OBJECTS, *table.LISTS, *table.SESSION, *table.BESIDE_THE_MODELS, *office}
    walked = {r for r in table.routes() if not r.startswith("/admin/^(?P<app_label>")}
    assert walked - known == set()
    assert {*table.OBJECTS, *table.LISTS, *table.SESSION, *table.BESIDE_THE_MODELS} - walked == set()
    assert {m._meta.label_lower for m in admin.site._registry} == set(table.OFFICE)


def _everything(queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
    return queryset.all()


@pytest.fixture(params=["both walls", "second wall alone"])
def walls(request: pytest.FixtureRequest) -> Iterator[bool]:
    """True with both walls; then again where ``visible_to`` lets everything of a place through.

    Jobs and files keep their own rule: their tables hold no place and stand outside row-level security.
    """
    if request.param == "both walls":
        yield True
        return
    with (
        patch.object(ScopedQuerySet, "visible_to", _everything),
        patch.object(FigureQuerySet, "visible_to", _everything),
        patch.object(CollectingUnitQuerySet, "visible_to", _everything),
    ):
        yield False


def _all(world: World) -> Places:
    return Places(frozenset(Township.objects.values_list("pk", flat=True)))


def _state(world: World, sides: list[Side]) -> dict[str, str]:
    """A digest of every guarded table's rows of these sides, and of the jobs and files."""
    units = tuple(side.unit.pk for side in sides)
    digests = {}
    with places_scope(_all(world)), connection.cursor() as cursor:
        for model in guarded_models():
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t.id), ''))"
                f" FROM {model._meta.db_table} t WHERE unit_id IN %s",
                [units],
            )
            digests[model._meta.label] = cursor.fetchone()[0]
        for model, keys in (
            (Job, [side.job.pk for side in sides]),
            (ImportBatch, [side.batch.pk for side in sides]),
            (ReturnedRow, [side.returned.pk for side in sides]),
        ):
            cursor.execute(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) FROM {model._meta.db_table} t"
                f" WHERE id::text = ANY (%s)",
                [[str(key) for key in keys]],
            )
            digests[model._meta.label] = cursor.fetchone()[0]
    return digests


def _tells(response: Any, side: Side) -> bool:
    """Whether an answer tells of a side: its name, or its figures."""
    text = shown(response)
    return any(sign in text for sign in (side.name, str(side.heads), f"{side.heads:,}"))


@pytest.mark.parametrize("role", ROLES)
def test_nothing_beyond_is_shown_or_changed(world: World, walls: bool, role: str) -> None:
    """Each route that names something: closed for every side beyond, nothing of it in the answer, no row changed."""
    beyond = world.beyond(role) if role != "nobody" else list(world.sides)
    before = _state(world, beyond)
    for pattern, knocks in table.OBJECTS.items():
        for side in beyond:
            for knock_at in knocks:
                knock = knock_at(side)
                response = world.ask(role, knock.method, knock.path, **knock.values)
                assert not _tells(response, side), (pattern, side.name)
                shares = knock.whole_township and side.unit.township_id == world.own.unit.township_id
                if walls and role != "nobody" and not shares:
                    assert response.status_code in {403, 404}, (pattern, side.name, response.status_code)
                assert response.status_code < 500, pattern
    assert _state(world, beyond) == before


@pytest.mark.parametrize("role", ROLES)
def test_lists_hold_the_own_places_alone(world: World, walls: bool, role: str) -> None:
    """Pages that name nothing show nothing from beyond."""
    beyond = world.beyond(role) if role != "nobody" else list(world.sides)
    for pattern, knock in table.LISTS.items():
        text = shown(world.ask(role, knock.method, knock.path, **knock.values))
        for side in beyond:
            assert side.name not in text, (pattern, side.name)


@pytest.mark.parametrize("role", ROLES)
def test_the_offices_lists_and_rows_end_at_the_scope(world: World, walls: bool, role: str) -> None:
    """List, search by the last sign of a foreign name, row, history, export: nothing from beyond."""
    beyond = world.beyond(role) if role != "nobody" else list(world.sides)
    for model in admin.site._registry:
        label, name = model._meta.label_lower, f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listed = reverse(f"{name}_changelist")
        for query in ("", f"?q={beyond[0].name[-1]}"):
            text = shown(world.ask(role, "GET", listed + query))
            for side in beyond:
                assert side.name not in text, (label, query, side.name)
        if table.OFFICE[label] == "closed":
            assert world.ask(role, "GET", listed).status_code in {302, 403, 404}, label
        for side in beyond:
            row = _row(model, side)
            if row is None:
                continue
            page = reverse(f"{name}_{'change' if walls else 'history'}", args=[row.pk])
            response = world.ask(role, "GET", page)
            assert not _tells(response, side), (label, side.name)
            if walls:
                assert response.status_code in {302, 403, 404}, (label, side.name)


def _row(model: type[Model], side: Side) -> Model | None:
    """The side's row of an office's list. Accounts, devices and the trail are the county's, seen by its own offices."""
    beside: dict[type[Model], Model | None] = {
        Job: side.job,
        ImportBatch: side.batch,
        ReturnedRow: side.returned,
    }
    if side.name == OUTER:
        person = side.job.requested_by
        beside[User] = person
        beside[Device] = Device.objects.filter(county=person.county).first() if person else None
        beside[AuditEvent] = AuditEvent.objects.filter(county_code=side.job.county_code).first()
    return side.rows.get(model) or beside.get(model)


# Posts that may do what the knock asks for, to show that the own side opens where the foreign one does not.
KEYS = [
    "township_clerk", "tax_bureau", "village_agent", "auditor", "admin", "department", "finance_bureau",
    "medical_bureau",
]  # fmt: skip


# Doors that open only in a state this world's rows are not in; tests/register opens them.
NEED_A_STATE = {"/register/doubles/<int:one>/<int:other>/", "/register/merges/<int:pk>/undo/"}


def test_the_same_knocks_open_the_own_side(world: World) -> None:
    """The test above would pass before doors that open for nobody: each route opens for somebody at home."""
    shut = []
    for pattern, knocks in sorted(table.OBJECTS.items(), key=lambda item: "abandon" in item[0]):
        answers = []
        for knock_at in knocks:
            for role in KEYS:
                knock = knock_at(world.own)
                response = world.ask(role, knock.method, knock.path, **knock.values)
                shown(response)  # a file is read to its end, which closes it
                answers.append(response.status_code)
        # 409 and 422 are answers about the row itself.
        if pattern not in NEED_A_STATE and not any(
            status < 400 or status in (409, 422) for status in answers
        ):
            shut.append((pattern, answers))
    assert not shut, "\n".join(map(str, shut))


def test_whoever_sees_one_unit_of_a_township_sees_the_figures_of_that_one(world: World) -> None:
    """An agent's township is his unit: its figures are not the sum with next door."""
    path = f"/api/v1/progress?place={world.own.unit.township.code}&insurance=medical"
    agent, clerk = (world.ask(role, "GET", path).json() for role in ("village_agent", "township_clerk"))
    seen = [answer["insurances"][0]["figures"]["registered"]["value"] for answer in (agent, clerk)]
    assert seen == [world.own.heads, world.own.heads + world.next_door.heads]


def test_every_guarded_model_has_a_row_on_every_side(world: World) -> None:
    """A table that is empty in this world proves nothing about its walls."""
    with places_scope(_all(world)):
        empty = [
            (model._meta.label, side.name)
            for model in guarded_models()
            for side in world.sides
            if not model._default_manager.filter(unit_id=side.unit.pk).exists()
        ]
    assert [row for row in empty if row[0] not in {"imports.ImportChange", "contributions.ChargeShare"}] == []
    assert len(apps.get_models()) > len(guarded_models())
