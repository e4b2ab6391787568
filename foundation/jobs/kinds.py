"""The kinds of background work; the app that owns the data registers its kind in ``apps.ready``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundation.jobs.models import Job


class JobFailed(Exception):
    """A failure the person who asked can read; no retry helps."""


@dataclass(frozen=True)
class Chunk:
    """One piece: ``spec`` names what to do by ids, ``weight`` is its share of the progress."""

    spec: dict[str, Any]
    weight: int = 1


@dataclass(frozen=True)
class JobKind:
    """How a kind of job is cut, worked and finished. Each runs in one transaction under the job's scope.

    ``plan(job)`` cuts it into chunks of tens of seconds; ``work(job, spec)`` does one, idempotent, and returns
    JSON; ``finish(job, results)`` returns the job's result.
    """

    name: str
    label: str
    plan: Callable[[Job], Sequence[Chunk]]
    work: Callable[[Job, dict[str, Any]], dict[str, Any]]
    finish: Callable[[Job, list[dict[str, Any]]], dict[str, Any]] = field(default=lambda job, results: {})


_KINDS: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    """Add a kind; the name is unique."""
    _KINDS[kind.name] = kind


def job_kind(name: str) -> JobKind:
    """The registered kind. Raises JobFailed for a name nobody registered."""
    if name not in _KINDS:
        raise JobFailed(f"unknown job kind {name}")
    return _KINDS[name]
