"""audformat databases: ``audformat:PATH`` or ``audformat:PATH#TABLE``, through the package ``audformat``.

The emotions are those of the table ``emotion``, or of the tables with a column of that name (several, such as the
``gold_standard`` tables of a train and a test split, are joined). Filewise and segmented tables are read. Speaker, sex,
text and continuous labels come from the same table, else from another table of the same files, else from the labels of
the speaker's scheme (a dictionary, or a misc table). The split of a table (train, dev, test) gives the protocol
``official``.
"""

from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core._utils.segments import parse_seconds
from ser_core.corpora.formats import listing

NEEDS = "audformat: needs the package audformat; pip install '.[formats]'"
READ = ("speaker", "sex", "text", "intensity", "take", "arousal", "valence", "dominance")


def read(name: str, where: Path):
    """Read the utterance table of an audformat database.

    Parameters
    ----------
    name : str
        of the corpus, ``audformat:PATH`` or ``audformat:PATH#TABLE``
    where : Path
        the folder that holds ``db.yaml``

    Raises
    ------
    SerError
        where the package or the database is missing, or no table has emotions
    """
    try:
        import audformat
    except ImportError:
        raise SerError(NEEDS) from None
    chosen = name.partition("#")[2]
    if not (where / "db.yaml").is_file():
        raise SerError(f"{where}: holds no db.yaml; audformat:PATH takes the folder of a database")
    try:
        database = audformat.Database.load(str(where), load_data=True)
    except Exception as error:  # yaml, pandas and audformat raise their own
        raise SerError(f"{where}: a database that cannot be read ({' '.join(str(error).split())[:120]})") from None
    tables = emotion_tables(database, chosen, where)
    return listing.collect(_entries(database, tables, where), name, where)


def emotion_tables(database, chosen: str, where: Path) -> list[str]:
    """Return the names of the tables that hold the emotions.

    Raises
    ------
    SerError
        for a table that is missing, or a database without emotions
    """
    having = [key for key in database.tables if "emotion" in _columns(database.tables[key])]
    if chosen:
        if chosen not in having:
            known = ", ".join(having) or "none"
            raise SerError(f"{where}: table {chosen} has no emotions or is missing; tables with emotions: {known}")
        return [chosen]
    if not having:
        raise SerError(f"{where}: no table with a column emotion; its tables: {', '.join(database.tables) or 'none'}")
    if "emotion" in having:
        return ["emotion"]
    return [key for key in having if "gold_standard" in key] or having


def _columns(table) -> dict[str, str]:
    """Column of the utterance table to column of an audformat table, by its name or that of its scheme."""
    found = listing.find_columns(table.columns)
    by_scheme = {table.columns[column].scheme_id: column for column in table.columns}
    schemes = listing.find_columns(name for name in by_scheme if name)
    return {key: by_scheme[name] for key, name in schemes.items()} | found


def _entries(database, tables: list[str], where: Path) -> Iterator[dict]:
    """One entry per line of the tables with emotions."""
    facts = [_facts(database, key) for key in database.tables]
    for key in tables:
        table = database.tables[key]
        split = database.splits[table.split_id].type if table.split_id else None
        own = [_facts(database, key), *facts]
        values = table.df[_columns(table)["emotion"]]
        for index, emotion in zip(_index(table.df), values, strict=True):
            file, start, end = index
            entry = {
                "file": file,
                "start": start,
                "end": end,
                "emotion": emotion,
                "at": f"{where}, table {key}, {file}",
            }
            if split:
                entry["folds"] = {"0": split}
            for column in READ:
                for known in own:
                    lines = known.get(column, {})
                    value = lines.get(index, lines.get((file, None, None)))
                    if value is not None:
                        entry[column] = value
                        break
            yield entry


def _index(frame) -> list[tuple]:
    """File, start and end (seconds, None for those of the file) of each line of a table."""
    if "start" not in frame.index.names:
        return [(str(file), None, None) for file in frame.index]
    return [
        (str(file), parse_seconds(start, "start") or None, parse_seconds(end, "end"))
        for file, start, end in frame.index
    ]


def _facts(database, key: str) -> dict[str, dict[tuple, object]]:
    """Column of the utterance table to what one audformat table says of each file or segment."""
    table = database.tables[key]
    index = _index(table.df)
    found: dict[str, dict[tuple, object]] = {}
    columns = _columns(table)
    for column in READ:
        if column in columns:
            values = table.df[columns[column]]
            found[column] = {at: value for at, value in zip(index, values, strict=True) if not _absent(value)}
    if "speaker" in found:
        for column, known in _of_speakers(database, table.columns[columns["speaker"]].scheme_id).items():
            found.setdefault(column, {at: known[who] for at, who in found["speaker"].items() if who in known})
    return found


def _of_speakers(database, scheme_id: str | None) -> dict[str, dict]:
    """Column of the utterance table to what the scheme of the speakers says of each of them."""
    labels = database.schemes[scheme_id].labels if scheme_id else None
    if isinstance(labels, str):
        frame = database.misc_tables[labels].df
        lines = {
            who: dict(zip(frame.columns, values, strict=True)) for who, values in zip(frame.index, frame.to_numpy())
        }
    elif isinstance(labels, dict):
        lines = {who: line for who, line in labels.items() if isinstance(line, dict)}
    else:
        return {}
    columns = listing.find_columns(dict.fromkeys(key for line in lines.values() for key in line))
    return {
        column: {who: line[field] for who, line in lines.items() if not _absent(line.get(field))}
        for column, field in columns.items()
        if column in ("sex",)
    }


def _absent(value) -> bool:
    return value is None or str(value).lower() in listing.NO_LABEL
