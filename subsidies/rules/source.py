"""A plan file as plain data, with the line of every value and errors that name it.

Plan files are YAML, every scalar read as text: `100` is the text "100" and `false` the text "false", so an
amount keeps its cents, a date stays what was written, and nothing is guessed. A loaded plan keeps its text and
is read again from it: the order of what is written counts.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias

import yaml

from foundation.money import MoneyError, yuan

Plain: TypeAlias = "str | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = "tuple[str | int, ...]"

CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
PLAN_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
LINES: Final = re.compile(r"L\d+(-\d+)?(, ?L?\d+(-\d+)?)*|\S{1,12}〔\d{4}〕\d{1,4}号\S{0,12}")
"""Where a clause stands: lines of the plan's own paper, or the number of another paper."""
YEARS: Final = (1990, 2100)
OLDEST: Final = 150
PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
FRACTION: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class PlanError(ValueError):
    """A plan file, a setting or an example that cannot be used.

    `code` names the reason, `line` the line of the file (0 for a setting or an example), `place`
    the path of the value (`medical.waivers.2.shares`), `detail` the words that belong into the message. The
    message shown to people is made from these by `subsidies.services.messages`.
    """

    def __init__(self, code: str, /, *, line: int = 0, place: str = "", **detail: object) -> None:
        self.code = code
        self.line = line
        self.place = place
        self.detail = {key: str(value) for key, value in detail.items()}
        words = ", ".join(f"{key}={value}" for key, value in self.detail.items())
        super().__init__(f"line {line}: {place}: {code}" + (f" ({words})" if words else ""))

    def within(self, place: str) -> PlanError:
        """The same error inside a larger place."""
        error = PlanError(self.code, line=self.line, place=f"{place} {self.place}".strip())
        error.detail = self.detail
        return error


def read_source(text: str) -> tuple[dict[str, Plain], dict[Path, int]]:
    """Read YAML text into plain data and the line (from 1) of every value.

    Raises PlanError for broken YAML, a key written twice, an alias, and a file that is not a mapping.
    """
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PlanError("not_yaml", line=mark.line + 1 if mark else 1, problem=error.problem or "") from None
    except yaml.YAMLError as error:
        raise PlanError("not_yaml", line=1, problem=error) from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError("not_a_mapping", line=1)
    lines: dict[Path, int] = {}
    seen: set[int] = set()

    def plain(node: yaml.Node, path: Path) -> Plain:
        line = node.start_mark.line + 1
        lines.setdefault(path, line)
        if id(node) in seen:
            raise PlanError("alias", line=line, place=_dotted(path))
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            value = str(node.value)
            return None if not value and node.style is None else value
        if isinstance(node, yaml.SequenceNode):
            return [plain(item, (*path, index)) for index, item in enumerate(node.value)]
        return mapping(node, path)

    def mapping(node: yaml.Node, path: Path) -> dict[str, Plain]:
        result: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise PlanError("key_not_text", line=key_line, place=_dotted(path))
            key = str(key_node.value)
            if key in result:
                raise PlanError("key_twice", line=key_line, place=_dotted((*path, key)), key=key)
            lines[(*path, key)] = key_line
            result[key] = plain(value_node, (*path, key))
        return result

    return mapping(root, ()), lines


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


@dataclass(frozen=True)
class Clause:
    """The words of the paper a rule stands on, and their lines."""

    text: str
    lines: str


@dataclass(frozen=True)
class Entry:
    """One value of a plan file together with its place; the accessors check and convert it."""

    value: Plain
    path: Path = ()
    lines: Mapping[Path, int] = field(default_factory=dict, repr=False)

    @property
    def line(self) -> int:
        for size in range(len(self.path), -1, -1):
            if (found := self.lines.get(self.path[:size])) is not None:
                return found
        return 0

    def error(self, code: str, /, **detail: object) -> PlanError:
        return PlanError(code, line=self.line, place=_dotted(self.path), **detail)

    # mappings and lists

    def mapping(self) -> dict[str, Plain]:
        if not isinstance(self.value, dict):
            raise self.error("not_a_mapping")
        return self.value

    def only(self, required: str = "", optional: str = "") -> None:
        """Refuse a key without meaning here, and the absence of one that must be there (space-separated)."""
        known = {*required.split(), *optional.split()}
        values = self.mapping()
        for key in values:
            if key not in known:
                raise self.at(key).error("unknown_key", key=key, known=", ".join(sorted(known)))
        for key in required.split():
            if values.get(key) is None:
                if key in ("clause", "lines"):
                    raise self.error("no_clause", missing=key)
                raise self.error("missing_key", key=key)

    def at(self, key: str) -> Entry:
        return Entry(self.mapping().get(key), (*self.path, key), self.lines)

    def get(self, key: str) -> Entry | None:
        return self.at(key) if self.mapping().get(key) is not None else None

    def pairs(self) -> Iterator[tuple[str, Entry]]:
        for key in self.mapping():
            yield key, self.at(key)

    def items(self) -> Iterator[Entry]:
        if not isinstance(self.value, list):
            raise self.error("not_a_list")
        for index, item in enumerate(self.value):
            yield Entry(item, (*self.path, index), self.lines)

    # scalars

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error("not_text")
        return self.value.strip()

    def code(self, pattern: re.Pattern[str] = CODE) -> str:
        text = self.text()
        if not pattern.fullmatch(text):
            raise self.error("not_a_code", value=text)
        return text

    def choice(self, *known: str) -> str:
        text = self.text()
        if text not in known:
            raise self.error("not_a_choice", value=text, known=", ".join(known))
        return text

    def flag(self) -> bool:
        return self.choice("true", "false") == "true"

    def date(self) -> datetime.date:
        text = self.text()
        try:
            if DAY.fullmatch(text):
                return datetime.date.fromisoformat(text)
        except ValueError:
            pass
        raise self.error("not_a_date", value=text)

    def whole(self, least: int = 0, most: int = 999_999_999) -> int:
        """A whole number from `least` to `most`."""
        text = self.text()
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise self.error("not_a_whole_number", value=text)
        if not least <= int(text) <= most:
            raise self.error("out_of_range", value=text, least=least, most=most)
        return int(text)

    def age(self) -> int:
        """Completed years of a person."""
        return self.whole(most=OLDEST)

    def year(self) -> int:
        """A year that a plan, a figure or a setting may be of."""
        return self.whole(*YEARS)

    def amount(self) -> Decimal:
        text = self.text()
        try:
            amount = yuan(text)
        except MoneyError:
            raise self.error("not_an_amount", value=text) from None
        if amount < 0 or amount >= 10**10:
            raise self.error("not_an_amount", value=text)
        return amount

    def share(self) -> Fraction:
        """A share of an amount: `50%`, `1/3`, `0` or `1`."""
        text = self.text()
        if found := PERCENT.fullmatch(text):
            share = Fraction(found[1]) / 100
        elif (found := FRACTION.fullmatch(text)) and int(found[2]):
            share = Fraction(int(found[1]), int(found[2]))
        elif text in ("0", "1"):
            share = Fraction(text)
        else:
            raise self.error("not_a_share", value=text)
        if share > 1:
            raise self.error("not_a_share", value=text)
        return share

    def texts(self) -> tuple[str, ...]:
        return tuple(item.text() for item in self.items())

    def choices(self, *known: str) -> tuple[str, ...]:
        found = tuple(item.choice(*known) for item in self.items())
        if not found:
            raise self.error("empty_list")
        return found

    def whole_numbers(self, least: int = 0, most: int = 999_999_999) -> tuple[int, ...]:
        return tuple(item.whole(least, most) for item in self.items())

    def clause(self) -> Clause:
        """The words quoted and where they stand; no rule goes without."""
        self_clause, self_lines = self.get("clause"), self.get("lines")
        if self_clause is None or self_lines is None:
            raise self.error("no_clause", missing="clause" if self_clause is None else "lines")
        lines = self_lines.text()
        if not LINES.fullmatch(lines):
            raise self_lines.error("not_lines", value=lines)
        return Clause(self_clause.text(), lines)
