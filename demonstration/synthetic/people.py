"""Names, ID numbers and phones of people who do not exist."""

from __future__ import annotations

from datetime import date
from random import Random

from demonstration.synthetic import data
from foundation.identity import make_number

_RARE_SHARE = 0.001
_MINORITY_SHARE = 0.0006


class Names:
    """Draws surnames and given names. One instance serves a whole county; the randomness is the caller's."""

    def __init__(self) -> None:
        words = data.load("names")["surnames"].split()
        weights = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        self.surnames: list[str] = [name for name, weight in weights.items() for _repeat in range(weight)]
        self.known = frozenset(weights)
        self._given: dict[tuple[str, str], list[str]] = {
            (sex, era): data.load("names")[sex][era].split()
            for sex in ("male", "female")
            for era in ("old", "middle", "young")
        }
        self._rare: list[str] = data.load("names")["rare"]
        self._minority_given: list[str] = data.load("names")["minority_given"]
        self._minority_family: list[str] = data.load("names")["minority_family"]
        self._nicknames: list[str] = data.load("names")["nicknames"]
        self._clan_suffixes = frozenset(data.load("names")["clan_suffixes"])

    def surname(self, rng: Random) -> str:
        return self.surnames[int(rng.random() * len(self.surnames))]

    def clan(self, village: str) -> str | None:
        """The surname a village is called after, if any: 赵庄 and 大赵庄 are 赵."""
        for start in (0, 1):
            pair = village[start : start + 2]
            if len(pair) == 2 and pair[0] in self.known and pair[1] in self._clan_suffixes:
                return pair[0]
        return None

    def nickname(self, rng: Random) -> str:
        return self._nicknames[int(rng.random() * len(self._nicknames))]

    def person(self, rng: Random, surname: str, sex: str, birth_year: int) -> str:
        """A full name in the fashion of its time; now and then a rare character or a name with ·."""
        draw = rng.random()
        if draw < _MINORITY_SHARE:
            given = self._minority_given[int(rng.random() * len(self._minority_given))]
            return f"{given}·{self._minority_family[int(rng.random() * len(self._minority_family))]}"
        era = "old" if birth_year < 1966 else "middle" if birth_year < 2002 else "young"
        pool = self._given[sex, era]
        first = pool[int(rng.random() * len(pool))]
        if draw < _MINORITY_SHARE + _RARE_SHARE:
            return f"{surname}{first}{self._rare[int(rng.random() * len(self._rare))]}"
        if draw > 0.86:
            return surname + first
        return surname + first + pool[int(rng.random() * len(pool))]


class Numbers:
    """Issues ID numbers, each once: the sequence counts up per region, birth date and sex.

    A region and day has room for 499 men and 499 women; more raises ValueError.
    """

    def __init__(self) -> None:
        self._issued: dict[tuple[str, date, str], int] = {}

    def issue(self, prefix6: str, birth_date: date, sex: str) -> str:
        key = (prefix6, birth_date, sex)
        count = self._issued.get(key, 0)
        if count >= 499:
            raise ValueError(f"too many people born on one day in {prefix6}")
        self._issued[key] = count + 1
        # 7 and 499 have no common factor: every place is visited once, and neighbours are not born in a row.
        place = (count * 7 + birth_date.toordinal() * 13) % 499
        return make_number(prefix6, birth_date, place * 2 + (1 if sex == "male" else 2))

    @staticmethod
    def birth_certificate(rng: Random, prefix6: str) -> str:
        """A birth certificate number: a letter and nine digits, the first two those of the province."""
        return f"{'STUV'[int(rng.random() * 4)]}{prefix6[:2]}{int(rng.random() * 10_000_000):07d}"


def phone(rng: Random) -> str:
    """A number shaped like a mobile phone's."""
    return f"1{3 + int(rng.random() * 7)}{int(rng.random() * 1_000_000_000):09d}"
