"""What one place shows: an insurance's figures, an age band against its target, a row of the ranking."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil

from enrollment.models import Insurance
from progress import rules
from progress.queries.counts import Counts


@dataclass
class Standing:
    """An insurance's figures at one place."""

    insurance: str
    counts: Counts = field(default_factory=Counts)
    bands: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    target: int | None = None
    includes_exempt: bool = False
    against_target: bool = True
    paid_today: int = 0

    @property
    def label(self) -> str:
        """The insurance in the page's language."""
        return str(Insurance(self.insurance).label)

    def share(self, paid: int) -> float | None:
        """The rate if ``paid`` people had paid: 完成率 where the task table reaches, else 应缴已缴率."""
        if not self.against_target:
            return rules.rate(paid + self.counts.exempt, self.counts.in_scope)
        return rules.completion(
            paid=paid, exempt=self.counts.exempt, in_scope=self.counts.in_scope, target=self.target,
            includes_exempt=self.includes_exempt,
        )  # fmt: skip

    @property
    def rate(self) -> float | None:
        """The rate the place is ranked by."""
        return self.share(self.counts.paid)

    @property
    def completion_rate(self) -> float | None:
        """完成率; None for places without a target of their own."""
        return self.rate if self.against_target else None

    @property
    def due_paid_rate(self) -> float | None:
        """应缴已缴率."""
        return rules.rate(self.counts.paid + self.counts.exempt, self.counts.in_scope)

    @property
    def done(self) -> int:
        """The people the rate counts."""
        with_exempt = self.includes_exempt or not self.against_target
        return self.counts.paid + (self.counts.exempt if with_exempt else 0)

    @property
    def whole(self) -> int:
        """What the rate divides by."""
        if not self.against_target or (self.target is None and self.includes_exempt):
            return self.counts.in_scope
        return self.counts.in_scope - self.counts.exempt if self.target is None else self.target

    @property
    def missing(self) -> int:
        """People still wanting to the whole."""
        return max(self.whole - self.done, 0)


@dataclass(frozen=True)
class BandRate:
    """An age band against its printed target."""

    band: str
    insurance: str
    done: int
    whole: int
    percent: float | None
    target: float
    against_registered: bool

    @property
    def label(self) -> str:
        """The insurance in the page's language."""
        return str(Insurance(self.insurance).label)

    @property
    def range(self) -> str:
        """45-59 → 45–59."""
        return self.band.replace("-", "–")

    @property
    def missing(self) -> int:
        """People wanting to the target."""
        return max(ceil(self.whole * self.target / 100) - self.done, 0)


@dataclass
class Row:
    """A township or unit of the ranking."""

    code: str
    name: str
    standings: dict[str, Standing]
    position: int | None = None
    moved: int | None = None  # places gained since yesterday
    versus_last_year: float | None = None
    is_last: bool = False

    @property
    def inhabited(self) -> bool:
        """Whether anybody is counted here or expected here."""
        return any(s.target or s.counts.in_scope or s.counts.paid_amount for s in self.standings.values())
