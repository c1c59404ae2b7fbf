"""The embedded demo corpus: synthetic emotional speech in the shapes and names of RAVDESS and TESS.

``demo.zip`` stands beside this file (``demo_synthesis.py`` made it, ``PROVENANCE.md`` inside says how) and holds
``demo_ravdess/Actor_01/03-01-01-01-01-01-01.ogg`` and ``demo_tess/OAF_back_angry.ogg``. It is unpacked once into the
cache, in a folder named after its checksum, and read by the grammars of the real corpora, so that everything that runs
on them runs on it. No figure measured on it says anything about people: it is marked as demo wherever it appears.
"""

import hashlib
import os
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ser_core._utils.paths import cache_dir
from ser_core.corpora import ravdess, ravtess, tess

ARCHIVE = Path(__file__).parent / "demo.zip"


def unpack(archive: Path = ARCHIVE) -> Path:
    """The folder of the unpacked demo corpus; unpacks it when it is not there, mends it when a file is missing or cut.

    Several processes may call this at the same time: the folder appears complete or not at all.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    folder = cache_dir() / f"demo-{digest[:12]}"
    with zipfile.ZipFile(archive) as source:
        members = [member for member in source.infolist() if not member.is_dir()]
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as beside:
                source.extractall(Path(beside) / "tree")
                with suppress(OSError):  # another process was first
                    os.replace(Path(beside) / "tree", folder)
        for member in members:
            path = folder / member.filename
            if not path.is_file() or path.stat().st_size != member.file_size:
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f".{path.name}.{os.getpid()}")
                part.write_bytes(source.read(member))
                os.replace(part, path)
    return folder


def listing(corpus, archive: Path = ARCHIVE):
    """File list of one part of the demo corpus, as the archive has it: ``file``, ``sha256``, ``bytes``."""
    import pandas as pd

    prefix = f"{corpus.folder}/"
    with zipfile.ZipFile(archive) as source:
        rows = [
            (member.filename.removeprefix(prefix), hashlib.sha256(source.read(member)).hexdigest(), member.file_size)
            for member in source.infolist()
            if member.filename.startswith(prefix) and not member.is_dir()
        ]
    return pd.DataFrame(rows, columns=["file", "sha256", "bytes"])


_SHARED = {
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
