"""Makes the frozen folds from the canonical manifests: ``python -m ser_core.protocols.folds.make``.

Run once; the CSV files are the truth from then on, and a test makes them again and compares.
"""

from pathlib import Path

import numpy as np

from ser_core import corpora
from ser_core.protocols import splits

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


def ravdess_speaker_text():
    """Twelve folds: the six of EmoBox, each with either statement held out."""
    group = {f"{actor:02d}": fold for fold, actors in enumerate(EMOBOX_TEST_ACTORS) for actor in actors}
    return splits.deal_speaker_text(None, group=group, half={"01": 0, "02": 1})


def _shuffled_words() -> list[str]:
    words = sorted(corpora.manifest("tess")["text"].unique())
    return list(np.random.default_rng(splits.SEED).permutation(words))


def tess_speaker():
    """One actress to the other, both ways; validation is held-out words of the training actress, all seven emotions."""
    import pandas as pd

    held_out = set(_shuffled_words()[:TESS_VALIDATION_WORDS])
    rows = []
    for speaker, test_fold in (("OAF", 1), ("YAF", 0)):
        for word in sorted(_shuffled_words()):
            own = "validation" if word in held_out else "train"
            rows.append(
                {"speaker": speaker, "text": word} | {str(k): "test" if k == test_fold else own for k in (0, 1)}
            )
    return pd.DataFrame(rows)


def tess_speaker_text():
    """Four folds: YAF, then OAF, on one half of the words, then on the other.

    The other actress trains with the other half, less its validation words, which are those of ``tess-speaker``.
    """
    import pandas as pd

    words = _shuffled_words()
    held_out = set(words[:TESS_VALIDATION_WORDS])
    half = {word: i % 2 for i, word in enumerate(words)}
    rows = []
    for speaker in ("OAF", "YAF"):
        for word in sorted(words):
            own = "validation" if word in held_out else "train"
            row = {"speaker": speaker, "text": word}
            for fold in range(4):
                tested, other = speaker == ("YAF", "OAF")[fold % 2], half[word] != fold // 2
                row[str(fold)] = "none" if tested == other else ("test" if tested else own)
            rows.append(row)
    return pd.DataFrame(rows)


def tess_cross():
    """Two folds, each with other words of both actresses for validation; the other words train."""
    import pandas as pd

    words = _shuffled_words()
    size = TESS_VALIDATION_WORDS
    parts = [set(words[k * size : (k + 1) * size]) for k in (0, 1)]
    rows = [
        {"text": word} | {str(k): "validation" if word in part else "train" for k, part in enumerate(parts)}
        for word in sorted(words)
    ]
    return pd.DataFrame(rows)


def make() -> dict[str, tuple[str, object]]:
    """File name to (comment, DataFrame) of every frozen fold file."""

    dealt = "speakers dealt, women then men; fold k tests group k, validates on group k + 1"
    crossed = "fold 2k + h tests the speakers of fold k with half h of the texts; the others train with the other half"
    files = {
        "ravdess-speaker": ("test actors: EmoBox, Interspeech 2024; validation: the next fold's", ravdess_speaker()),
        "tess-speaker": ("one actress to the other; validation: held-out words of the other", tess_speaker()),
        "ravdess-speaker-text": (crossed, ravdess_speaker_text()),
        "tess-speaker-text": ("one actress with half of the words, trained on the other's others", tess_speaker_text()),
        "tess-cross": ("validation: held-out words of both actresses; the other corpus is tested on", tess_cross()),
        "emodb-speaker": (dealt, splits.deal_speakers(corpora.manifest("emodb"), folds=5)),
        "savee-speaker": (dealt, splits.deal_speakers(corpora.manifest("savee"), folds=4)),
        "cremad-speaker": (dealt, splits.deal_speakers(corpora.manifest("cremad"), folds=6)),
    }
    for name in ("emodb", "savee", "cremad"):
        group = _tested_in(files[f"{name}-speaker"][1])
        files[f"{name}-speaker-text"] = (crossed, splits.deal_speaker_text(corpora.manifest(name), group=group))
    for name in ("ravdess", "tess", "emodb", "savee"):  # CREMA-D's manifest lacks three files: dealt when loaded
        files[f"{name}-random"] = ("stratified by emotion over utterances", splits.deal_random(corpora.manifest(name)))
        files[f"{name}-leaky"] = (
            "number of the fold that tests an utterance or copy",
            splits.deal_leaky(corpora.manifest(name)),
        )
    return files


def _tested_in(folds) -> dict[str, int]:
    """Speaker to the number of the fold that tests it."""
    rows = folds.set_index("speaker").to_dict("index")
    return {speaker: int(next(k for k, side in row.items() if side == "test")) for speaker, row in rows.items()}


def render(comment: str, frame) -> str:
    """The text of a fold file: a comment line, then CSV."""
    return f"# {comment}\n" + frame.to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    for stem, (text, frame) in make().items():
        (Path(__file__).parent / f"{stem}.csv").write_text(render(text, frame), encoding="utf-8")
        print(stem, len(frame))
