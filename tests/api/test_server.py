"""What only a real server shows: parallel posts over HTTP, and nothing personal in its logs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rest_framework.authtoken.models import Token

from contributions.models import Payment, PaymentLine
from foundation.identity import make_number
from foundation.scope.context import places_scope
from tests.api.conftest import body_for
from tests.contributions.conftest import build_season

PROJECT = Path(__file__).resolve().parents[2]
NUMBER = make_number("370406", date(1961, 3, 9), 271)


@dataclass
class Server:
    """A gunicorn of two processes over the test's own database; its output goes to ``log``."""

    url: str
    log: Path

    def ask(self, path: str, token: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON of a request below /api/v1/."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@contextmanager
def _server(log: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2",
               "--threads", "10", "--access-logfile", "-"]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env={**os.environ, "PORTAL_LOG_LEVEL": "DEBUG"},
        )
        try:
            for _n in range(600):
                with socket.socket() as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            yield Server(f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_twenty_parallel_posts_of_one_payment_make_one_payment(stack: str, tmp_path: Path) -> None:
    """One tap becomes one payment, never two, never none: one 201, nineteen 200, all with the same body."""
    season = build_season()
    charge = season.charge(season.cast.dong)
    token = Token.objects.create(user=season.cast.user("village_agent")).key
    body, answers, gate = body_for(charge), [], threading.Barrier(20)

    def post(server: Server) -> None:
        gate.wait()
        answers.append(server.ask("payments", token, body))

    with _server(tmp_path / "log") as server:
        threads = [threading.Thread(target=post, args=(server,)) for _n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(status for status, _body in answers) == [200] * 19 + [201]
    assert all(body == answers[0][1] for _status, body in answers)
    with places_scope(season.cast.places):
        assert Payment.objects.count() == 1
        assert PaymentLine.objects.count() == 1


def test_the_logs_hold_no_number_no_phone_and_no_name(stack: str, tmp_path: Path) -> None:
    """Searching, finding nobody, paying, failing: at the chattiest level the log tells none of it."""
    season = build_season()
    charge = season.charge(season.cast.dong, name="单翠花", number=NUMBER, birth_date=date(1961, 3, 9))
    token = Token.objects.create(user=season.cast.user("village_agent")).key
    with _server(tmp_path / "log") as server:
        unit = f"villages/{season.cast.dong.code}/residents"
        assert server.ask(f"{unit}?search={NUMBER}", token)[1]["results"][0]["name"] == "单翠花"
        assert server.ask(f"villages/999999999999/residents?search={NUMBER}", token)[0] == 404
        assert server.ask("payments", token, body_for(charge, payer_name="单翠花"))[0] == 201
        assert server.ask("payments", token, {"client_uuid": NUMBER, "payer_name": NUMBER})[0] == 400
    log = server.log.read_text()
    assert "/api/v1/payments" in log  # it does log
    for secret in (NUMBER, NUMBER[6:], "单翠花", urllib.parse.quote("单翠花"), token):
        assert secret not in log
