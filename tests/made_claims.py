"""Claim files for tests, and the check of one claim."""

from pathlib import Path

from ser_core.claims import audit


def claims_file(folder: Path, text: str, *, head: str = 'title = "t"\nsource = "s"\n') -> Path:
    """Write a claim file in TOML."""
    path = folder / "claims.toml"
    path.write_text(head + text)
    return path


def check_one(folder: Path, check: str, **fields) -> audit.CheckedClaim:
    """Check one claim; the fields are TOML values."""
    lines = "".join(f"{name} = {value}\n" for name, value in fields.items())
    text = f'[[claim]]\nid = "x"\nwhere = "here"\nclaim = "c"\ncheck = "{check}"\n{lines}'
    (result,) = audit.check_claims(claims_file(folder, text))[1]
    return result
