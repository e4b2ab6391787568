"""The payment API under a real web server: four clients at once, then one alone, each household once."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rest_framework.authtoken.models import Token

from contributions.models import Charge
from demonstration.services import processes
from demonstration.services.bench.floors import make_tables, sections
from demonstration.services.bench.measure import Answer, Figures, cpu_of, in_child, peak_of, percentile
from demonstration.services.bench.stage import CLERKS, Stage, as_owner
from foundation.clock.services import offset
from foundation.scope.context import places_scope
from townships.models import User

# Households that pay while four clients are at work, while one is, and before anybody counts.
AT_ONCE, ALONE, WARMING = 800, 200, 40
_READY_SECONDS: Final = 60.0
_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


@dataclass
class Heard:
    """What one client heard."""

    seconds: list[float] = field(default_factory=list)
    payments: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def payments(stage: Stage, with_floor: bool) -> Figures:
    """`POST /api/v1/payments` on gunicorn over loopback; rows are payments made by the four clients together.

    The ratio is one client's mean time for a payment over the floor's: the same inserts, one transaction a payment,
    over one bare connection.
    """
    answer = in_child(lambda: _collect(stage))
    seconds = answer.pop("seconds")
    rows, peak, made = answer.pop("rows"), answer.pop("web_peak_mb"), answer.pop("made")
    answer.pop("peak_mb")
    figures = Figures(rows=rows, seconds=seconds, peak_mb=peak, more=answer)
    if with_floor and made:
        each, same = _floor(made)
        # One client beside one connection: four clients at once would beat a floor that works alone.
        figures.beside(each * rows, same_rows=same, ratio=answer["alone_mean_ms"] / 1000 / each)
        figures.more["floor_payment_ms"] = round(each * 1000, 2)
    return figures


def _collect(stage: Stage) -> Answer:
    bodies = _bodies(stage)
    if not bodies:
        raise RuntimeError("nobody has anything to pay")
    share = len(bodies) / (AT_ONCE + ALONE + WARMING)
    warming = max(1, int(WARMING * min(share, 1)))
    alone = max(1, int(ALONE * min(share, 1)))
    first, last, middle = bodies[:warming], bodies[warming : warming + alone], bodies[warming + alone :]
    tokens = [Token.objects.get_or_create(user=User.objects.get(username=name))[0].key for name in CLERKS]
    with _web(stage.out) as (port, pids):
        _post_all(port, tokens, first)
        used = cpu_of(pids())
        started = time.perf_counter()
        heard = _post_all(port, tokens, middle)
        seconds = time.perf_counter() - started
        used = cpu_of(pids()) - used
        single = _post_all(port, tokens[:1], last)
        peak = peak_of(pids())
    refused = [text for client in [*heard, *single] for text in client.refused]
    if refused:
        raise RuntimeError(f"{len(refused)} payments were refused, the first: {refused[0]}")
    times = [each for client in heard for each in client.seconds]
    lonely = [each for client in single for each in client.seconds]
    return {
        "rows": len(times),
        "seconds": seconds,
        "requests_per_second": round(len(times) / seconds, 1) if times else None,
        "p50_ms": round(percentile(times, 0.5) * 1000, 1) if times else None,
        "p95_ms": round(percentile(times, 0.95) * 1000, 1) if times else None,
        "alone_mean_ms": round(sum(lonely) / len(lonely) * 1000, 2),
        "alone_p95_ms": round(percentile(lonely, 0.95) * 1000, 1),
        "cpu_ms": round(used / len(times) * 1000, 1) if used else None,
        "clients": len(tokens),
        "web_peak_mb": peak,
        "made": [pk for client in single for pk in client.payments],
    }


def _bodies(stage: Stage) -> list[bytes]:
    """Bodies of payments, one a household with something to pay, as its agent's device would send them."""
    households: dict[int, list[Any]] = {}
    with places_scope(stage.places):
        rows = (
            Charge.objects.filter(plan=stage.plan, current=True, decision="accept", personal_amount__gt=0)
            .exclude(household_id=None)
            .order_by("household_id", "registration_id")
            .values_list("household_id", "registration_id", "pk", "version", "personal_amount")
        )
        for row in rows.iterator():
            if row[0] not in households and len(households) == AT_ONCE + ALONE + WARMING:
                break
            households.setdefault(row[0], []).append(row)
        handed_over = datetime.combine(stage.spec.as_of, datetime.min.time(), _SHANGHAI).replace(hour=9)
        at = handed_over - offset(stage.county.code)
    return [_body(household, lines, at) for household, lines in households.items()]


def _body(household: int, rows: Sequence[Any], at: datetime) -> bytes:
    lines = [
        {"registration": registration, "charge": charge, "version": version, "amount": f"{amount:.2f}"}
        for _household, registration, charge, version, amount in rows
    ]
    body = {
        "client_uuid": str(uuid.uuid4()),
        "handed_over_at": at.isoformat(),
        "household": household,
        "payer_name": "户主",
        "route": "village",
        "means": "qr",
        "received": f"{sum((row[4] for row in rows), Decimal('0.00')):.2f}",
        "lines": lines,
    }
    return json.dumps(body).encode()


@contextmanager
def _web(out: Path) -> Iterator[tuple[int, Any]]:
    """gunicorn as the demonstration runs it; gives its port and a function for the ids of its processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with processes.running("bench-web", processes.web(port), logs=out / "logs", env={}) as server:
        _wait(port, server)
        yield port, lambda: [server.pid, *_children(server.pid)]


def _wait(port: int, server: Any) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/api/v1/me")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError("the web server does not answer; see bench-web.log")


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text(encoding="ascii").split()] if listed.exists() else []


def _post_all(port: int, tokens: Sequence[str], bodies: Sequence[bytes]) -> list[Heard]:
    """Each client posts its share of the bodies over its own connection, one after another."""
    heard = [Heard() for _token in tokens]
    threads = [
        threading.Thread(target=_client, args=(port, token, bodies[number :: len(tokens)], heard[number]))
        for number, token in enumerate(tokens)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return heard


def _client(port: int, token: str, bodies: Sequence[bytes], heard: Heard) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    for body in bodies:
        started = time.perf_counter()
        try:
            connection.request("POST", "/api/v1/payments", body, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            heard.refused.append(type(error).__name__)
            connection.close()
            continue
        heard.seconds.append(time.perf_counter() - started)
        if response.status == 201:
            heard.payments.append(json.loads(text)["payment"])
        else:
            heard.refused.append(f"{response.status} {text[:200].decode(errors='replace')}")
    connection.close()


def _floor(made: Sequence[int]) -> tuple[float, bool]:
    """Seconds a payment over one bare connection, and whether all were put in."""
    parts = sections("payments")
    with as_owner() as connection, connection.cursor() as cursor:
        make_tables(connection, parts["tables"])
        cursor.execute(
            "SELECT id, target::bigint FROM audit_auditevent WHERE action = 'payment.record' AND target = ANY (%s)",
            [[str(pk) for pk in made]],
        )
        events = {payment: event for event, payment in cursor.fetchall()}
        connection.commit()
        statements = [statement for statement in parts["work"].split(";") if statement.strip()]
        started = time.perf_counter()
        for payment in made:
            for statement in statements:
                cursor.execute(statement, {"payment": payment, "event": events.get(payment)})
            connection.commit()
        seconds = time.perf_counter() - started
        cursor.execute(parts["same"], {"payments": len(made)})
        differing = int(cursor.fetchone()[0])
        connection.rollback()
    return seconds / len(made), differing == 0
