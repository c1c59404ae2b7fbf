"""Makes the frozen folds from the canonical manifests: ``python -m ser_core.folds.make``.

Run once; the CSV files are the truth from then on, and a test makes them again and compares.
"""

from pathlib import Path

import numpy as np

from ser_core import splits
from ser_core.corpora import table as tables

EMOBOX_TEST_ACTORS = (
    (1, 11, 20, 21), (4, 10, 12, 14), (8, 9, 19, 23), (3, 5, 7, 24), (2, 15, 16, 18), (6, 13, 17, 22),
)  # fmt: skip
"""Test actors of the six RAVDESS folds of EmoBox (Interspeech 2024). It names no validation set: ours is the next
fold's actors, so that 16 actors train where EmoBox trains on 20."""
TESS_VALIDATION_WORDS = 34


def ravdess_speaker():
    """The six EmoBox folds; validation is the next fold's actors."""
    import pandas as pd

    group = {f"{actor:02d}": fold for fold, actors in enumerate(EMOBOX_TEST_ACTORS) for actor in actors}
    speakers = pd.DataFrame({"speaker": sorted(group)})
    return splits._numbered(speakers, [group[s] for s in speakers["speaker"]], len(EMOBOX_TEST_ACTORS))


def tess_speaker():
    """One actress to the other, both ways; validation is held-out words of the training actress, all seven emotions."""
    import pandas as pd

    words = sorted(tables.manifest("tess")["text"].unique())
    held_out = set(np.random.default_rng(splits.SEED).permutation(words)[:TESS_VALIDATION_WORDS])
    rows = []
    for speaker, test_fold in (("OAF", 1), ("YAF", 0)):
        for word in words:
            own = "validation" if word in held_out else "train"
            rows.append(
                {"speaker": speaker, "text": word} | {str(k): "test" if k == test_fold else own for k in (0, 1)}
            )
    return pd.DataFrame(rows)


def make() -> dict[str, tuple[str, object]]:
    """File name to (comment, DataFrame) of every frozen fold file."""
    manifest = tables.manifest
    dealt = "speakers dealt, women then men; fold k tests group k, validates on group k + 1"
    files = {
        "ravdess-speaker": ("test actors: EmoBox, Interspeech 2024; validation: the next fold's", ravdess_speaker()),
        "tess-speaker": ("one actress to the other; validation: held-out words of the other", tess_speaker()),
        "emodb-speaker": (dealt, splits.deal_speakers(manifest("emodb"), folds=5)),
        "savee-speaker": (dealt, splits.deal_speakers(manifest("savee"), folds=4)),
        "cremad-speaker": (dealt, splits.deal_speakers(manifest("cremad"), folds=6)),
    }
    for name in ("ravdess", "tess", "emodb", "savee"):  # CREMA-D's manifest lacks three files: dealt when loaded
        files[f"{name}-random"] = ("stratified by emotion over utterances", splits.deal_random(manifest(name)))
    return files


def render(comment: str, frame) -> str:
    """The text of a fold file: a comment line, then CSV."""
    return f"# {comment}\n" + frame.to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    for stem, (text, frame) in make().items():
        (Path(__file__).parent / f"{stem}.csv").write_text(render(text, frame), encoding="utf-8")
        print(stem, len(frame))
