"""Write, chain and prove the audit trail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from foundation.audit.models import AuditEvent, AuditSeal

SEAL_LOCK = 0x4A5A_5345


def record(
    *,
    by: Any,
    action: str,
    target_kind: str = "",
    target: object = "",
    county_code: str = "",
    township_code: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Add one event in the caller's transaction. ``by`` is a user, or None for the system itself.

    ``detail`` holds codes and counts, never ID numbers, phones or names.
    """
    AuditEvent.objects.create(
        actor_id=getattr(by, "pk", None),
        action=action,
        county_code=county_code,
        township_code=township_code,
        target_kind=target_kind,
        target=str(target),
        detail=json.loads(json.dumps(detail or {}, cls=DjangoJSONEncoder)),
    )


def _lines(above: int, below: int) -> Iterator[str]:
    rows = (
        AuditEvent.objects.filter(transaction__gte=above, transaction__lt=below)
        .order_by("transaction", "id")
        .values_list("id", "at", "actor_id", "action", "county_code", "target_kind", "target", "detail")
    )
    for row in rows.iterator(chunk_size=5000):
        yield json.dumps(row, cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False)


def _digest(previous: str, above: int, below: int) -> tuple[str, int]:
    digest, count = hashlib.sha256(previous.encode()), 0
    for line in _lines(above, below):
        digest.update(line.encode())
        digest.update(b"\n")
        count += 1
    return digest.hexdigest(), count


@transaction.atomic
def seal() -> AuditSeal | None:
    """Chain every event below the oldest running transaction; writers never wait for it. None if nothing is new."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEAL_LOCK])
        row = cursor.fetchone()
        if row is None or not row[0]:
            return None
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        row = cursor.fetchone()
        assert row is not None
        below = int(row[0])
    last = AuditSeal.objects.order_by("-below").first()
    above, previous = (last.below, last.digest) if last else (0, "")
    if below <= above:
        return None
    digest, count = _digest(previous, above, below)
    if not count:
        return None
    return AuditSeal.objects.create(below=below, events=count, previous=previous, digest=digest)


@dataclass(frozen=True)
class Proof:
    """Result of walking the chain."""

    ok: bool
    seals: int
    sealed_events: int
    open_events: int
    broken_at: int | None = None


def verify() -> Proof:
    """Recompute every link. ``broken_at`` is the first seal whose events were altered, lost or added."""
    above, previous, sealed, seals = 0, "", 0, 0
    for link in AuditSeal.objects.order_by("below"):
        digest, count = _digest(previous, above, link.below)
        if digest != link.digest or count != link.events or link.previous != previous:
            return Proof(False, seals, sealed, 0, link.pk)
        above, previous, sealed, seals = link.below, link.digest, sealed + count, seals + 1
    return Proof(True, seals, sealed, AuditEvent.objects.filter(transaction__gte=above).count())
