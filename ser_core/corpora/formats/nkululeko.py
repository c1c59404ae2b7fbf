"""nkululeko's CSV tables: ``nkululeko:PATH.csv``.

The first columns are an audformat index: ``file`` (filewise), or ``file``, ``start`` and ``end`` (segmented; seconds or
durations such as ``0 days 00:00:01.500000``). Of the others, ``emotion``, ``speaker`` and ``gender`` are read, and
those of :data:`listing.COLUMN_NAMES`. Paths start from the folder of the CSV, or are absolute. The ``.ini`` file of an
experiment is not read: its splits and its ``labels`` have no effect.
"""

from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing


def read(name: str, where: Path):
    """Read the utterance table of an nkululeko CSV file.

    Parameters
    ----------
    name : str
        of the corpus, ``nkululeko:PATH``
    where : Path
        the CSV file

    Raises
    ------
    SerError
        for a file that cannot be read or lacks ``file`` or an emotion
    """
    lines = listing.read_table(where, ["file"])
    columns = listing.find_columns(lines[0][1])
    if "emotion" not in columns:
        raise SerError(f"{where}: no column emotion; found {', '.join(lines[0][1])}")
    entries = (listing.entry_of(line, columns, line["file"], f"{where}, row {number}") for number, line in lines)
    return listing.collect(entries, name, where.parent)
