"""A world with four sides: 东村 (own), 西村 next door, 南村 of the other township, and another county."""

from __future__ import annotations

import io
import re
import uuid
import zipfile
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from contributions.models import Charge
from enrollment.models import Category, CollectionPlan
from foundation.encryption import get_keyring
from foundation.imports.engine import vault
from foundation.imports.models import ImportBatch, ImportFile, ReturnedRow
from foundation.jobs.models import Job
from foundation.scope.context import places_scope, scope
from foundation.scope.places import NOWHERE
from progress.models import InTransit, UnitDay, UnitFigure
from rosters.models import Roster, RosterLine
from seasons.models import ArchivedFile, Confirmation, SeasonClosing
from seasons.services.summary import AMOUNTS, HEADS
from subsidies.models import ListDelivery
from subsidies.queries import PLANS
from tests.contributions.conftest import TODAY, Season
from tests.factories import Cast, password_hash
from tests.portal.conftest import FOREIGN, OWN, Office, _one_of_everything, build_office
from townships.models import CollectingUnit, County, Role, Township, User, Village

NEXT_DOOR, OUTER = "璩丙辛", "亓丁庚"


@dataclass
class Side:
    """One unit with one row of everything; ``name`` is written into each, ``heads`` into its figures, and both stand
    nowhere else."""

    name: str
    heads: int
    unit: CollectingUnit
    rows: dict[type[Model], Any]
    job: Job
    batch: ImportBatch
    returned: ReturnedRow

    def pk(self, model: type[Model]) -> Any:
        """Key of the side's row of a model."""
        return self.rows[model].pk


@dataclass
class World:
    """The sides by name, and who lives where."""

    cast: Cast
    plan: CollectionPlan
    own: Side
    next_door: Side
    foreign: Side
    outer: Side
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.own, self.next_door, self.foreign, self.outer)

    def beyond(self, role: str) -> list[Side]:
        """The sides a holder of the post must not see."""
        if role == Role.VILLAGE_AGENT:
            return [self.next_door, self.foreign, self.outer]
        if role == Role.TOWNSHIP_CLERK:
            return [self.foreign, self.outer]
        return [self.outer]

    def ask(self, role: str, method: str, path: str, **values: Any) -> Any:
        """A request of the post's holder; the transaction around it sees nothing."""
        client = self.clients.get(role)
        if client is None:
            client = self.clients[role] = Client()
            if role != "nobody":
                client.force_login(self.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        with places_scope(NOWHERE):
            return client.generic(method, path, **values) if values else client.generic(method, path)


def _second_county() -> Season:
    county = County.objects.create(
        code="370404000000", name="峄城区", short_name="峄城", kind=County.DISTRICT
    )
    township = Township.objects.create(
        county=county, code="370404901000", name="丙镇", short_name="丙", position=1
    )
    village = Village.objects.create(
        township=township, code="370404901201", name="北村村委会", short_name="北村", position=1
    )
    unit = CollectingUnit.objects.create(
        code=village.code, name="北村", township=township, village=village, position=1
    )
    cast = Cast(county, township, township, unit, unit, unit)
    for role in (Role.TAX_BUREAU, Role.TOWNSHIP_CLERK):
        cast.users[role.value] = User.objects.create(
            username=f"other_{role.value}",
            password=password_hash(),
            role=role,
            county=county,
            display_name="外县",
        )
    cast.users["township_clerk"].townships.add(township)
    plan = CollectionPlan.objects.create(
        code="yicheng-2023", version=1, county=county, name="峄城区2023年度方案", coverage_year=2023,
        insurances=["medical", "pension"], collection_mode="direct",
    )  # fmt: skip
    return Season(cast, plan)


def _side(season: Season, unit: CollectingUnit, name: str, rows: dict[type[Model], Any], owner: User) -> Side:
    """Complete a side with what stands beside the rows of the office: lines, figures, a job, a file."""
    place: dict[str, Any] = {"township_id": unit.township_id, "unit_id": unit.pk}
    roster, resident = rows[Roster], rows[Charge].resident
    RosterLine.objects.create(
        **place, roster=roster, position=1, resident_id=resident.pk, household_number="1", head_name=name, name=name,
        relation="户主", number_index=resident.number_index, number_encrypted=resident.number_encrypted,
        group_name="1组", house_number="1", categories="", government_paid=0, personal=350, paid=0, means="",
        note="",
    )  # fmt: skip
    rows[Confirmation] = Confirmation.objects.create(
        **place, plan=season.plan, resident=resident, insurance="medical", reason="moved", carried=True,
        registration_before=rows[Charge].registration,
    )  # fmt: skip
    figures: dict[str, Any] = {**place, "plan": season.plan, "insurance": "medical"}
    heads = 7_373_000 + unit.pk % 997
    UnitFigure.objects.create(**figures, band="16-44", registered=heads)
    UnitDay.objects.create(**figures, day=TODAY, paid=1)
    InTransit.objects.create(**figures, stage="unconfirmed", day=TODAY, heads=1, amount=350)
    county = season.cast.county.code
    job = Job.objects.create(kind="rosters", county_code=county, requested_by=owner, key=name, error=name)
    batch = ImportBatch.objects.create(
        kind="registration", county_code=county, plan_code=season.plan.code, file_name=f"{name}.csv",
        sha256="0" * 64, uploaded_by=owner, state="checked", reasons={"unknown_village": 1}, rejected_count=1,
        findings_stored_as=vault.store(io.BytesIO(name.encode()), folder="imports/test").name,
    )  # fmt: skip
    delivery = ListDelivery.objects.create(
        plan=season.plan, kind="category", category=Category.objects.get(code="disabled"), township=unit.township,
        received_on=TODAY, paper=True, note=name,
    )  # fmt: skip
    stored = vault.store(io.BytesIO(name.encode()), folder="imports/test")
    ImportFile.objects.create(
        batch=batch,
        position=0,
        name=f"{name}.csv",
        size=stored.size,
        sha256=stored.sha256,
        stored_as=stored.name,
    )
    returned = ReturnedRow.objects.create(
        batch=batch, source_row=2, code="unknown_village", message=f"{name}不认识",
        row_encrypted=get_keyring().encrypt(f"{name},370406"),
    )  # fmt: skip
    rows[ListDelivery] = delivery
    return Side(name, heads, unit, rows, job, batch, returned)


def _archive(plan: CollectionPlan, *sides: Side) -> None:
    """A closing of the plan: each side's name stands in its township's figures and in a file of the archive."""
    figures = {
        "label": "医疗", "target": 1, "completion_rate": 1.0, "due_paid_rate": 1.0, **dict.fromkeys(HEADS, 1),
        **dict.fromkeys(AMOUNTS, "1.00"),
    }  # fmt: skip
    closing = SeasonClosing.objects.create(
        plan=plan, number=1, on=TODAY, locked_at=timezone.now(), archived_at=timezone.now(), digest="0" * 64,
        summary={
            "order": ["medical"], "insurances": {"medical": figures}, "printed_targets": {}, "payers": [], "tiers": [],
            "cases": [], "papers": {"units": 1, "payment_rosters": 1, "posted": 1},
            "money": {
                "received": "1.00", "excess": "0.00", "excess_payments": 0, "reversals": 0, "reversed": "0.00",
                "unconfirmed": 0, "unconfirmed_amount": "0.00",
            },
            "townships": [
                {"code": side.unit.township.code, "name": side.name, "insurances": {"medical": figures}} for side in sides
            ],
        },
    )  # fmt: skip
    for kind, side in zip(("township", "paper", "township"), sides, strict=False):
        stored = vault.store(io.BytesIO(side.name.encode()), folder="seasons")
        ArchivedFile.objects.create(
            closing=closing, township=side.unit.township, kind=kind, name=f"{side.name}.xlsx", stored_as=stored.name,
            sha256=stored.sha256, size=stored.size, lines=1,
        )  # fmt: skip


def build_world() -> World:
    """All four sides, written as each side's own people would see them."""
    office: Office = build_office()
    season, cast = office.season, office.season.cast
    category = Category.objects.get(code="disabled")
    with scope(cast.user("tax_bureau")):
        beside = _one_of_everything(season, cast.xi, NEXT_DOOR, category)
        own = _side(season, cast.dong, OWN, office.own, cast.user("township_clerk"))
        next_door = _side(season, cast.xi, NEXT_DOOR, beside, cast.user("tax_bureau"))
        foreign = _side(season, cast.nan, FOREIGN, office.foreign, cast.user("clerk_yi"))
    other = _second_county()
    with scope(other.cast.user("tax_bureau")):
        far = _one_of_everything(other, other.cast.dong, OUTER, category)
        outer = _side(other, other.cast.dong, OUTER, far, other.cast.user("township_clerk"))
    _archive(season.plan, own, next_door, foreign)
    _archive(other.plan, outer)
    # Rules that compute, so that what is explained and quoted has something to say.
    text = (PLANS / "shanting-2023.yaml").read_text(encoding="utf-8")
    CollectionPlan.objects.update(document={"text": text}, source_sha256=uuid.uuid4().hex)
    return World(cast, season.plan, own, next_door, foreign, outer)


@pytest.fixture
def world(db: None) -> World:
    """The world, rolled back after the test."""
    return build_world()


def shown(response: Any) -> str:
    """Everything an answer says, whatever its kind: pages, JSON, PDF, workbooks, archives, and where it leads."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return f"{_text(content)} {response.get('Location', '')} {response.get('Content-Disposition', '')}"


def _text(content: bytes) -> str:
    if content.startswith(b"%PDF"):
        return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "".join(name + _text(archive.read(name)) for name in archive.namelist())
    text = content.decode(errors="replace")
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda sign: chr(int(sign[1], 16)), text)
