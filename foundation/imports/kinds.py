"""Kinds of files. The app that owns the data declares what a file must hold, how a row is read, what it changes.

A kind is a set of functions over one ``Context``. The engine calls them in this order, each inside the transaction and
scope of whoever imports:

1. ``reader(ctx)`` gives the function that turns one row (``{field: text}``) into the values of a staging row, or
   into ``Refused``. It sees one row at a time and touches no table.
2. ``check(ctx)`` looks across the staged rows and at the register, set-based, and returns what cannot go in
   (``ctx.refuse_staged``).
3. ``preview(ctx)`` counts what would happen; it writes nothing. ``findings(ctx, counts)`` says what to show of it.
4. ``apply(ctx)`` makes it happen, set-based, after ``preview`` in the same transaction; ``undo(ctx)`` takes it back.

Apps add to it by ``on_rows`` (whom the batch's rows concern), ``on_applied`` (figures to count anew), ``on_undo``
(reasons why a batch can no longer be taken back) and ``on_next`` (what somebody should do after it).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from foundation.identity import read_number

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    from foundation.imports.engine.context import Context
    from foundation.imports.models import ImportBatch
    from foundation.jobs.models import Job


class ImportRefused(Exception):
    """The whole file or batch cannot be used; the message is for the sender, `code` for programs where there is one."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Refused(NamedTuple):
    """One row goes back: a stable code and the sentence the sender reads.

    ``field`` is the cell at fault where the code does not say it (``words.fields_of``). A row is told everything that is
    wrong with it: what was found besides the first stands in ``also`` (``together`` puts it there).
    """

    code: str
    message: str
    field: str = ""
    also: tuple[Refused, ...] = ()

    @property
    def problems(self) -> tuple[Refused, ...]:
        """The first and all others, in the order they were found."""
        return (self, *self.also)


def together(*answers: object) -> Refused | None:
    """What is wrong among the answers about one row, in their order, as one answer; None when nothing is."""
    problems = [each for answer in answers if isinstance(answer, Refused) for each in answer.problems]
    if not problems:
        return None
    first, *rest = problems
    return first._replace(also=tuple(each._replace(also=()) for each in rest))


class Finding(NamedTuple):
    """What a check shows of one kind of change, ending or contradiction.

    ``query`` gives ``file, source_row`` (NULL for who is not in the file), ``name, number_encrypted``, and ``field,
    before, after``: what differs, as the register (or another office) has it and as this file says.
    """

    section: str
    query: str
    values: Mapping[str, Any] = {}


class Counts(NamedTuple):
    """What a batch does to the register. They add up to the rows accepted; ``closed`` stands beside them."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """A choice that belongs to a file, made on the page or by a flag: ``plan`` or ``category``."""

    name: str
    label: str | StrPromise
    choices: tuple[tuple[str, str], ...]
    required: bool = True
    blank: str | StrPromise = ""
    """What choosing nothing means, where it means something."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What an applied batch asks of whoever looks at it: a button that posts ``fields`` to the page named ``url``.

    ``job`` is the work already asked for since the batch, under way or done; then there is nothing to press.
    """

    label: str
    url: str
    fields: dict[str, str]
    job: Job | None = None


class Deadline(NamedTuple):
    """Until when a plan wants a list to be right, and the words it stands on. Past it is a warning, never a block."""

    name: str
    on: date
    clause: str


StagedRow = Sequence[str | None]
RowReader = Callable[[dict[str, str]], StagedRow | Refused]


Identify = Callable[[dict[str, str]], tuple[bytes | None, str]]


def by_number(
    ctx: Context, field: str = "id_number", part: Callable[[dict[str, str]], str] = lambda cells: ""
) -> Identify:
    """Who a row is about by the number in a field, and what ``part`` makes of the row."""

    def identify(cells: dict[str, str]) -> tuple[bytes | None, str]:
        number = read_number(cells.get(field, ""), ctx.today).number
        return ctx.keyring.blind_index(number) if number else None, part(cells)

    return identify


def _name_and_number(cells: dict[str, str]) -> tuple[str, str]:
    return cells.get("name", ""), cells.get("id_number", "")


@dataclass(frozen=True, slots=True)
class RowIdentity:
    """How a row sent back is known again when it comes corrected: whom it is about, and which of her several rows.

    ``index`` and ``part`` name staging columns; ``part`` may be empty. ``of(ctx)`` gives the function that says the
    same of a row that was refused before it was staged: ``None`` and the empty text where it cannot be told. ``who``
    gives name and number as the sender wrote them.
    """

    index: str = "number_index"
    part: str = ""
    of: Callable[[Context], Identify] = by_number
    who: Callable[[dict[str, str]], tuple[str, str]] = _name_and_number


def _no_options(user: Any) -> tuple[Option, ...]:
    return ()


@dataclass(frozen=True)
class ImportKind:
    """A kind of file. ``staging`` is an unlogged table with ``batch, file, source_row`` before ``columns``."""

    name: str
    label: str | StrPromise
    help: str | StrPromise
    required: tuple[str, ...]
    optional: tuple[str, ...]
    staging: str
    columns: tuple[str, ...]
    reader: Callable[[Context], RowReader]
    check: Callable[[Context], None]
    preview: Callable[[Context], Counts]
    apply: Callable[[Context], Counts]
    undo: Callable[[Context], None]
    roles: frozenset[str]
    options: Callable[[Any], tuple[Option, ...]] = _no_options
    blockers: Callable[[Context], list[str]] = field(default=lambda ctx: [])
    findings: Callable[[Context, Counts], Sequence[Finding]] = field(default=lambda ctx, counts: ())
    """What to show before applying, beside the counts: asked after ``preview``, in the same transaction."""
    identity: RowIdentity = RowIdentity()
    township: Callable[[Context], Callable[[dict[str, str]], int | None]] = field(
        default=lambda ctx: lambda cells: None
    )
    """Which township a row names that was refused before it was staged; later a staging column ``township_id`` says it."""
    # A full list closes what it no longer names; only lists of people can be full.
    can_be_full: bool = False
    needs_plan: bool = False
    any_of: tuple[tuple[str, ...], ...] = ()
    """Groups of fields of which a file must have at least one."""
    objection: Callable[[ImportBatch, Collection[str]], str] = field(default=lambda batch, fields: "")
    """Why a file with these fields cannot be used on the batch's terms, in a sentence; empty when it can."""
    counts_all: bool = True
    """Whether a batch that counts nothing new and nothing changed has nothing to apply."""
    totals: bool = False
    """Whether rows of totals are read too; the kind counts them as ``ctx.beside``."""
    yearly: bool = False
    """Sent once a year by whoever prepares it: stands behind the lists that come all season."""
    writes: tuple[str, ...] = ()
    """Tables it fills: their statistics are renewed after a large batch."""


_KINDS: dict[str, ImportKind] = {}
_ROWS: list[Callable[..., dict[str, Any]]] = []
_APPLIED: list[tuple[frozenset[str], Callable[[Context], dict[str, Any]]]] = []
_UNDO: list[tuple[frozenset[str], Callable[[Context], list[str]]]] = []
_DEADLINES: list[Callable[[ImportBatch], Deadline | None]] = []
_NEXT: list[tuple[frozenset[str], Callable[[Any, ImportBatch], NextStep | None]]] = []


def register(kind: ImportKind) -> None:
    """Add a kind; its name is the KIND of ``import_file``."""
    _KINDS[kind.name] = kind


def import_kind(name: str) -> ImportKind:
    """The registered kind. Raises ImportRefused, naming those there are."""
    if name not in _KINDS:
        raise ImportRefused(f"unknown kind of file {name!r}; known: {', '.join(sorted(_KINDS))}")
    return _KINDS[name]


def kinds_for(user: Any) -> list[ImportKind]:
    """The kinds a person's post may import, in the order they were registered, what comes once a year last."""
    own = [kind for kind in _KINDS.values() if getattr(user, "role", "") in kind.roles]
    return sorted(own, key=lambda kind: kind.yearly)


def on_rows(effect: Callable[..., dict[str, Any]]) -> None:
    """Call ``effect(ctx, undoing=…)`` while a batch's rows are there: after it is applied, before it is undone.

    For batches of every kind; its keys join the summary of an applied one.
    """
    _ROWS.append(effect)


def on_applied(kinds: Sequence[str], effect: Callable[[Context], dict[str, Any]]) -> None:
    """Call ``effect`` in the transaction that applies or undoes a batch of these kinds; its keys join the summary."""
    _APPLIED.append((frozenset(kinds), effect))


def on_undo(kinds: Sequence[str], blockers: Callable[[Context], list[str]]) -> None:
    """Ask ``blockers`` before a batch of these kinds is undone: sentences that say what depends on it."""
    _UNDO.append((frozenset(kinds), blockers))


def see_rows(ctx: Context, *, undoing: bool) -> None:
    """Tell whoever asked by ``on_rows``."""
    for effect in _ROWS:
        ctx.summary.update(effect(ctx, undoing=undoing))


def effects_of(name: str) -> list[Callable[[Context], dict[str, Any]]]:
    """What apps above the kind's own do after it was applied."""
    return [effect for kinds, effect in _APPLIED if name in kinds]


def undo_checks_of(name: str) -> list[Callable[[Context], list[str]]]:
    """What apps above the kind's own say against taking it back."""
    return [check for kinds, check in _UNDO if name in kinds]


def on_next(kinds: Sequence[str], step: Callable[[Any, ImportBatch], NextStep | None]) -> None:
    """Ask ``step(user, batch)`` what comes after a batch of these kinds; None when there is nothing for this user."""
    _NEXT.append((frozenset(kinds), step))


def next_steps(user: Any, batch: ImportBatch) -> list[NextStep]:
    """What apps above the kind's own ask of this user after the batch."""
    found = [step(user, batch) for kinds, step in _NEXT if batch.kind in kinds]
    return [step for step in found if step is not None]


def on_deadline(source: Callable[[ImportBatch], Deadline | None]) -> None:
    """Ask ``source`` until when the rows of a batch have to be right; None where no plan says."""
    _DEADLINES.append(source)


def deadline_of(batch: ImportBatch) -> Deadline | None:
    """The earliest deadline anybody knows for the batch."""
    found = [deadline for source in _DEADLINES if (deadline := source(batch)) is not None]
    return min(found, key=lambda deadline: deadline.on, default=None)
