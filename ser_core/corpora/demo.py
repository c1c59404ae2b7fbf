"""The embedded demo corpus: synthetic emotional speech with the structure and file names of RAVDESS and TESS.

``demo.zip`` next to this file holds ``demo_ravdess/Actor_01/03-01-01-01-01-01-01.ogg``,
``demo_tess/OAF_back_angry.ogg`` and so on. ``demo_synthesis.py`` made it; ``PROVENANCE.md`` inside describes how. It is
unpacked once into the cache, in a folder named after its checksum. The ``parse`` functions of the real corpora read it,
so that all code that runs on them runs on it. Scores on it are not valid for human speech, so it is marked as demo
wherever it appears.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core._utils.atomic import reported_storage, write_atomically
from ser_core._utils.paths import cache_dir
from ser_core.corpora import ravdess, ravtess, tess
from ser_core.corpora.table import Corpus

if TYPE_CHECKING:
    import pandas as pd

ARCHIVE = Path(__file__).parent / "demo.zip"
"""The shipped archive."""


def unpack(archive: Path = ARCHIVE) -> Path:
    """Unpack the demo corpus into the cache if needed, and restore missing or truncated files.

    Several processes may call this at the same time: the folder appears complete or not at all.

    Parameters
    ----------
    archive : Path, default :data:`ARCHIVE`

    Returns
    -------
    Path
        Folder with the sub-folders ``demo_ravdess`` and ``demo_tess``.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    folder = cache_dir() / f"demo-{digest[:12]}"
    with zipfile.ZipFile(archive) as source:
        members = [member for member in source.infolist() if not member.is_dir()]
        if not folder.is_dir():
            with reported_storage(folder):
                folder.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as temporary:
                    source.extractall(Path(temporary) / "tree")
                    with suppress(OSError):  # another process was first
                        os.replace(Path(temporary) / "tree", folder)
        for member in members:
            path = folder / member.filename
            if not path.is_file() or path.stat().st_size != member.file_size:
                write_atomically(path, source.read(member))
    return folder


def listing(corpus: Corpus, archive: Path = ARCHIVE) -> pd.DataFrame:
    """List the files of one part of the demo corpus.

    Parameters
    ----------
    corpus : Corpus
        :data:`DEMO_RAVDESS` or :data:`DEMO_TESS`.
    archive : Path, default :data:`ARCHIVE`

    Returns
    -------
    DataFrame
        One row per file: ``file``, ``sha256``, ``bytes``.
    """
    import pandas as pd

    prefix = f"{corpus.folder}/"
    with zipfile.ZipFile(archive) as source:
        rows = [
            (member.filename.removeprefix(prefix), hashlib.sha256(source.read(member)).hexdigest(), member.file_size)
            for member in source.infolist()
            if member.filename.startswith(prefix) and not member.is_dir()
        ]
    return pd.DataFrame(rows, columns=["file", "sha256", "bytes"])


_SHARED: dict[str, Any] = {
    "licence": "CC0 1.0",
    "doi": "",
    "url": "",
    "citation": "Synthetic speech, made with espeak-ng and shipped with this suite; no recording of a person.",
    "remotes": (),
    "demo": True,
}

DEMO_RAVDESS = replace(
    ravdess.CORPUS,
    name="demo_ravdess",
    title="demo (synthetic, in the shape of RAVDESS)",
    folder="demo_ravdess",
    speakers=24,
    expected=384,
    **_SHARED,
)
DEMO_TESS = replace(
    tess.CORPUS,
    name="demo_tess",
    title="demo (synthetic, in the shape of TESS)",
    folder="demo_tess",
    speakers=2,
    expected=252,
    **_SHARED,
)
DEMO_RAVTESS = replace(
    ravtess.CORPUS,
    name="demo_ravtess",
    title="demo (synthetic, in the shape of RavTess)",
    parts=("demo_ravdess", "demo_tess"),
    speakers=26,
    expected=588,
    **_SHARED,
)
DEMO_CALM_MERGED = replace(
    DEMO_RAVTESS,
    name="demo_ravtess_calm_merged",
    title="demo (synthetic, in the shape of RavTess with Calm as Neutral)",
    parse=ravtess.parse_calm_merged,
    expected=636,
)
