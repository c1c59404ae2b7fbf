"""The claims of a paper as a small file, TOML or JSON: README, "Check a paper's arithmetic", describes the format.

Numbers are written as the paper prints them, so that ``98.10`` keeps its two decimals.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.claims import consistency

SHIPPED = Path(__file__).parent
PAPER = SHIPPED / "zennou2026.toml"
CONSTRUCTED = SHIPPED / "constructed.toml"
COMMON = ("id", "group", "where", "claim", "check", "each_row_of", "rows")
MOST_DECIMALS = 4
LARGEST = 10**12


@dataclass(frozen=True)
class Claim:
    """One claim. Its methods read a field as what it must be; a :class:`SerError` names the one that is not."""

    file: str
    id: str
    group: str
    where: str
    text: str
    check: str
    fields: Mapping
    tables: Mapping
    row: Mapping = field(default_factory=dict)
    used: set = field(default_factory=set, compare=False)

    def wrong(self, message: str) -> SerError:
        """An error that says which claim of which file it is about."""
        return SerError(f"{self.file}: claim {self.id}: {message}")

    def has(self, name: str) -> bool:
        return name in self.fields or name in self.row

    def get(self, name: str, default=None):
        """The field as it stands; without a default it must be there."""
        self.used.add(name)
        value = self.fields.get(name, self.row.get(name, default))
        if value is None:
            raise self.wrong(f"{name} is missing, which the check {self.check} needs")
        return value

    def number(self, name: str, low=0, high=LARGEST) -> Decimal:
        """A finite number within [low, high] with its printed decimals."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.wrong(f"{name} must be a number, not {value!r}")
        value = Decimal(value)
        if not value.is_finite() or not low <= value <= high or value.as_tuple().exponent < -MOST_DECIMALS:
            raise self.wrong(
                f"{name} is {value}: must be within {low} and {high}, with {MOST_DECIMALS} decimals at most"
            )
        return value

    def percent(self, name: str) -> Decimal:
        return self.number(name, 0, 100)

    def positive(self, name: str) -> Decimal:
        value = self.number(name)
        if not value:
            raise self.wrong(f"{name} must be above 0")
        return value

    def whole(self, name: str, default: int | None = None, low: int = 1, high: int = 10**9) -> int:
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(f"{name} must be a whole number from {low} to {high:,}, not {value!r}")
        return value

    def listed(self, name: str, kind=str, default=None) -> list:
        """A list, not empty, of values of one kind; a single value stands for a list of one."""
        value = self.get(name, default)
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, kind) and not isinstance(one, bool) for one in values):
            raise self.wrong(f"{name} must be a list of {kind.__name__}, not {value!r}")
        return values

    def words(self, name: str) -> str:
        """A printed thing as text: a sentence, or a number as it is printed."""
        value = self.get(name)
        if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
            raise self.wrong(f"{name} must be a text or a number, not {value!r}")
        return str(value)

    def table(self, name: str = "table") -> list[dict]:
        """Rows of the table that a field names; the first column of each is its name."""
        wanted = self.words(name)
        if wanted not in self.tables:
            raise self.wrong(f"there is no table {wanted!r}; the file has {', '.join(self.tables) or 'none'}")
        return self.tables[wanted]["rows"]

    def column(self, column: str | None = None, table: str = "table") -> dict[str, Decimal]:
        """A column of numbers, by the name of the row: this one, or the one that the field ``column`` names."""
        column, found = column or self.words("column"), {}
        for row in self.table(table):
            value = row.get(column)
            if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
                raise self.wrong(f"table {self.words(table)} has no number in column {column!r}, row {_name(row)!r}")
            found[_name(row)] = Decimal(value)
        return found

    def picked(self, name: str, column: Mapping) -> list[str]:
        """Names of rows that a field lists, each of them in the column."""
        names = self.listed(name)
        for one in names:
            if one not in column:
                raise self.wrong(f"{name}: there is no row {one!r}; the table has {', '.join(column)}")
        return names

    def unused(self) -> list[str]:
        return sorted(set(self.fields) - self.used)


@dataclass(frozen=True)
class Claims:
    """A file of claims as read."""

    title: str
    source: str
    constructed: bool
    claims: tuple[Claim, ...]


def test_set_sizes(claim: Claim) -> list[int]:
    """Sizes of the test sets that ``tests`` describes: ``{each, to, from, plus}``, ``{of, percent}``, ``{sizes}``."""
    return sorted({size for test in claim.listed("tests", dict) for size in _sizes(claim, test)})


def _sizes(claim: Claim, test: dict) -> list[int]:
    kinds = {"each": ({"each", "to"}, {"from", "plus"}), "of": ({"of", "percent"}, set()), "sizes": ({"sizes"}, set())}
    needed, further = next((kinds[kind] for kind in kinds if kind in test), (set(), set()))
    numbers = [n for value in test.values() for n in (value if isinstance(value, list) else [value])]
    right = needed and needed <= set(test) <= needed | further
    if not right or not all(type(n) is int and 0 <= n <= 10**6 for n in numbers):
        raise claim.wrong(
            f"tests: {test}: must be {{each, to, from, plus}}, {{of, percent}} or {{sizes}}, whole numbers"
        )
    listed = {name: value if isinstance(value, list) else [value] for name, value in test.items()}
    if "each" in test:
        found = consistency.sizes_of_whole_speakers(
            test["each"], min(test["to"], 10_000), fewest=test.get("from", 1), plus=test.get("plus", 0)
        )
    else:
        found = consistency.sizes_of_shares(test["of"], listed["percent"]) if "of" in test else listed["sizes"]
    if not found or min(found) < 1:
        raise claim.wrong(f"tests: {test}: gives no test set")
    return found


def load_claims(path: str | os.PathLike | None = None) -> Claims:
    """Read a file of claims; None is the one of the paper that this suite is about.

    Raises
    ------
    SerError
        for a file that cannot be read or has no claims in this format: one line that says where
    """
    path = Path(path or PAPER)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SerError(f"{path}: cannot be read as a file of claims: {reason}") from error
    try:
        if path.suffix.lower() == ".json":
            content = json.loads(text, parse_float=Decimal)
        else:
            content = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise SerError(f"{path}: is not {kind}: {' '.join(str(error).split())[:200]}") from error
    file = path.name
    if not isinstance(content, dict) or not isinstance(content.get("claim"), list) or not content["claim"]:
        raise SerError(f"{file}: has no claims: each is a table [[claim]] with id, where, claim and check")
    _known(content, ("title", "source", "constructed", "table", "claim"), file)
    for name in ("title", "source"):
        if not isinstance(content.get(name), str) or not content[name].strip():
            raise SerError(f"{file}: {name} must be a text (which paper, and where it is to be found)")
    if not isinstance(content.get("constructed", False), bool):
        raise SerError(f"{file}: constructed must be true or false")
    tables = _tables(content.get("table", {}), file)
    claims = tuple(
        one for place, entry in enumerate(content["claim"], 1) for one in _claims(entry, place, tables, file)
    )
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise SerError(f"{file}: claim {name}: this id stands twice")
    return Claims(content["title"], content["source"], content.get("constructed", False), claims)


def _known(entry: dict, names: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise SerError(f"{where}: {', '.join(unknown)}: not known; choose among {', '.join(names)}")


def _name(row: dict) -> str:
    return str(next(iter(row.values())))


def _tables(entries, file: str) -> dict:
    """Tables by name: ``where`` and ``rows``, each row a dict by column."""
    if not isinstance(entries, dict):
        raise SerError(f"{file}: table: each is a table [table.NAME] with where, columns and rows")
    tables = {}
    for name, entry in entries.items():
        place = f"{file}: table {name}"
        if not isinstance(entry, dict):
            raise SerError(f"{place}: must have where, columns and rows")
        _known(entry, ("where", "columns", "rows"), place)
        columns, rows = entry.get("columns"), entry.get("rows")
        if not isinstance(columns, list) or not columns or len(set(map(str, columns))) < len(columns):
            raise SerError(f"{place}: columns must be a list of names, each once")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
            raise SerError(f"{place}: rows must be a list of lists")
        for row in rows:
            if len(row) != len(columns):
                raise SerError(
                    f"{place}: {len(columns)} columns, but a row of {len(row)} values: {row[0] if row else ''}"
                )
        made = [dict(zip(map(str, columns), row)) for row in rows]
        if len({_name(row) for row in made}) < len(made):
            raise SerError(f"{place}: two rows have the same name (the first column)")
        tables[name] = {"where": str(entry.get("where", f"Table {name}")), "rows": made}
    return tables


def _claims(entry, place: int, tables: dict, file: str) -> list[Claim]:
    """The claims of one entry: one, or with ``each_row_of`` one for each row of a table."""
    if not isinstance(entry, dict):
        raise SerError(f"{file}: claim {place}: must have id, where, claim and check")
    label = entry.get("id", place)
    for name in ("id", "claim", "check"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise SerError(f"{file}: claim {label}: {name} must be a text")
    for name in ("where", "group", "each_row_of"):
        if not isinstance(entry.get(name, ""), str):
            raise SerError(f"{file}: claim {label}: {name} must be a text")
    where, of = entry.get("where"), entry.get("each_row_of")
    if of is None and not where:
        raise SerError(f"{file}: claim {label}: where must be a text (table or section)")
    common = {"file": file, "group": entry.get("group", "claims"), "text": entry["claim"], "check": entry["check"]}
    own = COMMON if of is not None else [name for name in COMMON if name != "rows"]
    common |= {"fields": {name: value for name, value in entry.items() if name not in own}, "tables": tables}
    if of is None:
        return [Claim(id=entry["id"], where=where, **common)]
    if of not in tables:
        raise SerError(f"{file}: claim {label}: there is no table {of!r}; the file has {', '.join(tables) or 'none'}")
    names = [_name(row) for row in tables[of]["rows"]]
    wanted = entry.get("rows", names)
    if not isinstance(wanted, list) or not wanted or not set(map(str, wanted)) <= set(names):
        raise SerError(f"{file}: claim {label}: rows must name rows of table {of}: {', '.join(names)}")
    return [
        Claim(id=f"{entry['id']}-{'-'.join(name.lower().split())}", where=f"{where or tables[of]['where']}, {name}",
              row=row, **common)
        for name, row in zip(names, tables[of]["rows"]) if name in set(map(str, wanted))
    ]  # fmt: skip
