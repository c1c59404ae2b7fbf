"""Read the claims of a paper from a TOML or JSON file.

``docs/claims.md`` describes the format. Numbers are written as the paper prints them, so
that ``98.10`` keeps its two decimals.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.claims import consistency

SHIPPED = Path(__file__).parent
PAPER = SHIPPED / "zennou2026.toml"
"""Claims of the paper that this suite examines."""
CONSTRUCTED = SHIPPED / "constructed.toml"
"""Claims of a constructed table, with planted errors."""
COMMON = ("id", "group", "where", "claim", "check", "each_row_of", "rows")
"""Fields of every claim; all others belong to its check."""
MOST_DECIMALS = 4
LARGEST = 10**12
"""Largest number of decimals, and largest number, that a claim may have."""


@dataclass(frozen=True)
class Claim:
    """Hold one claim, and read its fields as the types that its check needs.

    The methods raise a :class:`SerError` that names the file, the claim and the field.

    Parameters
    ----------
    file, id, group, where, text, check : str
        name of the claim file, and the common fields of the claim
    fields : dict
        fields of the check
    tables : dict
        tables of the file: name to ``where`` and ``rows``
    row : dict, optional
        row of the table that the claim was made for
    used : set
        names of the fields that were read
    """

    file: str
    id: str
    group: str
    where: str
    text: str
    check: str
    fields: Mapping[str, Any]
    tables: Mapping[str, Any]
    row: Mapping[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set, compare=False)

    def wrong(self, message: str) -> SerError:
        """Return an error that names the file and the claim."""
        return SerError(f"{self.file}: claim {self.id}: {message}")

    def has(self, name: str) -> bool:
        """Return whether the claim or its row has a field."""
        return name in self.fields or name in self.row

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field as written; without a default, the field is required."""
        self.used.add(name)
        value = self.fields.get(name, self.row.get(name, default))
        if value is None:
            raise self.wrong(f"{name} is missing, which the check {self.check} needs")
        return value

    def number(self, name: str, low: int = 0, high: int = LARGEST) -> Decimal:
        """Return a finite number within [low, high], with its printed decimals."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.wrong(f"{name} must be a number, not {value!r}")
        value = Decimal(value)
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or not low <= value <= high or exponent < -MOST_DECIMALS:
            raise self.wrong(
                f"{name} is {value}: must be within {low} and {high}, with {MOST_DECIMALS} decimals at most"
            )
        return value

    def percent(self, name: str) -> Decimal:
        """Return a number within [0, 100]."""
        return self.number(name, 0, 100)

    def positive(self, name: str) -> Decimal:
        """Return a number above 0."""
        value = self.number(name)
        if not value:
            raise self.wrong(f"{name} must be above 0")
        return value

    def whole(self, name: str, default: int | None = None, low: int = 1, high: int = 10**9) -> int:
        """Return a whole number within [low, high]."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(f"{name} must be a whole number from {low} to {high:,}, not {value!r}")
        return value

    def listed(self, name: str, kind: type = str, default: Any = None) -> list:
        """Return a list of values of one type that is not empty; a single value becomes a list of one."""
        value = self.get(name, default)
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, kind) and not isinstance(item, bool) for item in values):
            raise self.wrong(f"{name} must be a list of {kind.__name__}, not {value!r}")
        return values

    def words(self, name: str) -> str:
        """Return a text, or a number as it is printed."""
        value = self.get(name)
        if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
            raise self.wrong(f"{name} must be a text or a number, not {value!r}")
        return str(value)

    def table(self, name: str = "table") -> list[dict]:
        """Return the rows of the table that a field names; the first column of a row is its name."""
        wanted = self.words(name)
        if wanted not in self.tables:
            raise self.wrong(f"table {wanted!r} not found; the file has {', '.join(self.tables) or 'none'}")
        return self.tables[wanted]["rows"]

    def column(self, column: str | None = None, table: str = "table") -> dict[str, Decimal]:
        """Return a column of numbers by row name; by default the column that the field ``column`` names."""
        column = column or self.words("column")
        numbers = {}
        for row in self.table(table):
            value = row.get(column)
            if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
                raise self.wrong(f"table {self.words(table)} has no number in column {column!r}, row {_name(row)!r}")
            numbers[_name(row)] = Decimal(value)
        return numbers

    def picked(self, name: str, column: Mapping[str, Decimal]) -> list[str]:
        """Return the names of rows that a field lists, all of which are in the column."""
        names = self.listed(name)
        for row in names:
            if row not in column:
                raise self.wrong(f"{name}: row {row!r} not found; the table has {', '.join(column)}")
        return names

    def unused(self) -> list[str]:
        """Return the fields of the claim that were not read."""
        return sorted(set(self.fields) - self.used)


@dataclass(frozen=True)
class Claims:
    """Hold the claims of a file, and which paper they are from.

    Parameters
    ----------
    title, source : str
        title of the paper, and where to find it
    constructed : bool
        the claims are examples, of no real paper
    claims : tuple of Claim
        claims in the order of the file
    """

    title: str
    source: str
    constructed: bool
    claims: tuple[Claim, ...]


def test_set_sizes(claim: Claim) -> list[int]:
    """Return the sizes of the test sets that the field ``tests`` of a claim describes.

    Parameters
    ----------
    claim : Claim
        ``tests`` is a list of ``{each, to, from, plus}`` (whole speakers), ``{of, percent}`` (shares of a corpus) or
        ``{sizes}``

    Returns
    -------
    list of int
        sizes in ascending order

    Raises
    ------
    SerError
        for an unknown description, or one that gives no test set
    """
    return sorted({size for test in claim.listed("tests", dict) for size in _sizes(claim, test)})


def _sizes(claim: Claim, test: dict[str, Any]) -> list[int]:
    """Return the sizes of one description of test sets."""
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
        sizes = consistency.sizes_of_whole_speakers(
            test["each"], min(test["to"], 10_000), fewest=test.get("from", 1), plus=test.get("plus", 0)
        )
    else:
        sizes = consistency.sizes_of_shares(test["of"], listed["percent"]) if "of" in test else listed["sizes"]
    if not sizes or min(sizes) < 1:
        raise claim.wrong(f"tests: {test}: gives no test set")
    return sizes


def load_claims(path: str | os.PathLike | None = None) -> Claims:
    """Read a claim file.

    Parameters
    ----------
    path : path-like, optional
        TOML or JSON file; by default :data:`PAPER`

    Returns
    -------
    Claims

    Raises
    ------
    SerError
        for a file that cannot be read, or has no claims in this format; one line that says where

    Examples
    --------
    >>> load_claims(CONSTRUCTED).title
    'A constructed table'
    """
    path = Path(path or PAPER)
    content, file = _parse(path), path.name
    if not isinstance(content, dict) or not isinstance(content.get("claim"), list) or not content["claim"]:
        raise SerError(f"{file}: has no claims: each is a table [[claim]] with id, where, claim and check")
    _check_known(content, ("title", "source", "constructed", "table", "claim"), file)
    for name in ("title", "source"):
        if not isinstance(content.get(name), str) or not content[name].strip():
            raise SerError(f"{file}: {name} must be a text (which paper, and where to find it)")
    if not isinstance(content.get("constructed", False), bool):
        raise SerError(f"{file}: constructed must be true or false")
    tables = _tables(content.get("table", {}), file)
    claims = tuple(
        claim for place, entry in enumerate(content["claim"], 1) for claim in _claims(entry, place, tables, file)
    )
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise SerError(f"{file}: claim {name}: this id occurs twice")
    return Claims(content["title"], content["source"], content.get("constructed", False), claims)


def _parse(path: Path) -> Any:
    """Parse a TOML or JSON file, with numbers as :class:`Decimal`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SerError(f"{path}: cannot be read as a claim file: {reason}") from error
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, parse_float=Decimal)
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise SerError(f"{path}: is not valid {kind}: {' '.join(str(error).split())[:200]}") from error


def _check_known(entry: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    """Check that an entry has no other fields than the known ones."""
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise SerError(f"{where}: {', '.join(unknown)}: not known; choose among {', '.join(names)}")


def _name(row: Mapping[str, Any]) -> str:
    """Return the name of a row of a table: its first column."""
    return str(next(iter(row.values())))


def _tables(entries: Any, file: str) -> dict[str, Any]:
    """Return the tables of a file: name to ``where`` and ``rows``, each row a dict by column."""
    if not isinstance(entries, dict):
        raise SerError(f"{file}: table: each is a table [table.NAME] with where, columns and rows")
    tables = {}
    for name, entry in entries.items():
        place = f"{file}: table {name}"
        if not isinstance(entry, dict):
            raise SerError(f"{place}: must have where, columns and rows")
        _check_known(entry, ("where", "columns", "rows"), place)
        columns, rows = entry.get("columns"), entry.get("rows")
        if not isinstance(columns, list) or not columns or len(set(map(str, columns))) < len(columns):
            raise SerError(f"{place}: columns must be a list of names, each once")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
            raise SerError(f"{place}: rows must be a list of lists")
        for row in rows:
            if len(row) != len(columns):
                raise SerError(
                    f"{place}: {counted(len(columns), 'column')}, but a row of {counted(len(row), 'value')}: "
                    f"{row[0] if row else ''}"
                )
        named_rows = [dict(zip(map(str, columns), row)) for row in rows]
        if len({_name(row) for row in named_rows}) < len(named_rows):
            raise SerError(f"{place}: two rows have the same name (the first column)")
        tables[name] = {"where": str(entry.get("where", f"Table {name}")), "rows": named_rows}
    return tables


def _claims(entry: Any, place: int, tables: dict[str, Any], file: str) -> list[Claim]:
    """Return the claims of one entry: one claim, or with ``each_row_of`` one claim per row of a table."""
    if not isinstance(entry, dict):
        raise SerError(f"{file}: claim {place}: must have id, where, claim and check")
    label = entry.get("id", place)
    for name in ("id", "claim", "check"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise SerError(f"{file}: claim {label}: {name} must be a text")
    for name in ("where", "group", "each_row_of"):
        if not isinstance(entry.get(name, ""), str):
            raise SerError(f"{file}: claim {label}: {name} must be a text")
    where, of = entry.get("where", ""), entry.get("each_row_of")
    if of is None and not where:
        raise SerError(f"{file}: claim {label}: where must be a text (table or section)")
    common: dict[str, Any] = {
        "file": file,
        "group": entry.get("group", "claims"),
        "text": entry["claim"],
        "check": entry["check"],
    }
    own = COMMON if of is not None else [name for name in COMMON if name != "rows"]
    common |= {"fields": {name: value for name, value in entry.items() if name not in own}, "tables": tables}
    if of is None:
        return [Claim(id=entry["id"], where=where, **common)]
    if of not in tables:
        raise SerError(f"{file}: claim {label}: table {of!r} not found; the file has {', '.join(tables) or 'none'}")
    names = [_name(row) for row in tables[of]["rows"]]
    wanted = entry.get("rows", names)
    if not isinstance(wanted, list) or not wanted or not set(map(str, wanted)) <= set(names):
        raise SerError(f"{file}: claim {label}: rows must name rows of table {of}: {', '.join(names)}")
    return [
        Claim(
            id=f"{entry['id']}-{'-'.join(name.lower().split())}",
            where=f"{where or tables[of]['where']}, {name}",
            row=row,
            **common,
        )
        for name, row in zip(names, tables[of]["rows"])
        if name in set(map(str, wanted))
    ]
