"""Write the frozen fold files from the published file lists: ``python -m ser_core.protocols.folds.make``.

This ran once. The CSV files are the reference from then on, and a test compares them with what this module computes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_core import corpora
from ser_core.protocols import fold_rules, splits

if TYPE_CHECKING:
    import pandas as pd

EMOBOX_TEST_ACTORS = (
    (1, 11, 20, 21), (4, 10, 12, 14), (8, 9, 19, 23), (3, 5, 7, 24), (2, 15, 16, 18), (6, 13, 17, 22),
)  # fmt: skip
"""Test actors of the six RAVDESS folds of EmoBox (Interspeech 2024).

EmoBox names no validation set. Ours is the test actors of the next fold, so that we train on 16 actors, EmoBox on 20.
"""
RESLSTM_TEST_ACTORS = ((2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22))
RESLSTM_VALIDATION_ACTORS = ((3, 6), (10, 11), (8, 17), (1, 14), (2, 5))
"""Actors of the five RAVDESS folds of ResLSTM-SA (Krasnoproshin and Vashkevich 2026, public notebook)."""
TESS_VALIDATION_WORDS = 34
"""Words of an actress that are held out for validation."""


def _emobox_groups() -> dict[str, int]:
    """Map RAVDESS speakers to the EmoBox fold that tests them."""
    return {f"{actor:02d}": fold for fold, actors in enumerate(EMOBOX_TEST_ACTORS) for actor in actors}


def ravdess_speaker() -> pd.DataFrame:
    """Return the six EmoBox folds; the actors of the next fold validate."""
    import pandas as pd

    group = _emobox_groups()
    speakers = pd.DataFrame({"speaker": sorted(group)})
    return fold_rules.folds_of_groups(speakers, [group[s] for s in speakers["speaker"]], len(EMOBOX_TEST_ACTORS))


def ravdess_reslstm() -> pd.DataFrame:
    """Return the five folds of ResLSTM-SA, with the actors that its authors name for test and validation."""
    import pandas as pd

    def subset(actor: int, fold: int) -> str:
        if actor in RESLSTM_TEST_ACTORS[fold]:
            return "test"
        return "validation" if actor in RESLSTM_VALIDATION_ACTORS[fold] else "train"

    rows = [
        {"speaker": f"{actor:02d}"} | {str(fold): subset(actor, fold) for fold in range(len(RESLSTM_TEST_ACTORS))}
        for actor in range(1, 25)
    ]
    return pd.DataFrame(rows)


def ravdess_speaker_text() -> pd.DataFrame:
    """Return twelve folds: the six of EmoBox, each with either statement held out."""
    group = _emobox_groups()
    return fold_rules.assign_speakers_and_texts(None, group=group, half={"01": 0, "02": 1})


def _shuffled_words() -> list[str]:
    words = sorted(corpora.manifest("tess")["text"].unique())
    return list(np.random.default_rng(fold_rules.SEED).permutation(words))


def tess_speaker() -> pd.DataFrame:
    """Return two folds, each trained on one actress and tested on the other.

    Held-out words of the training actress validate, in all seven emotions.
    """
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


def tess_speaker_text() -> pd.DataFrame:
    """Return four folds that test YAF, then OAF, on one half of the words, then on the other half.

    The other actress trains with the other half, less the validation words of ``tess-speaker``.
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
                test_speaker, other_words = speaker == ("YAF", "OAF")[fold % 2], half[word] != fold // 2
                row[str(fold)] = "none" if test_speaker == other_words else ("test" if test_speaker else own)
            rows.append(row)
    return pd.DataFrame(rows)


def tess_cross() -> pd.DataFrame:
    """Return two folds, which validate on different words of both actresses and train on the other words."""
    import pandas as pd

    words = _shuffled_words()
    size = TESS_VALIDATION_WORDS
    parts = [set(words[k * size : (k + 1) * size]) for k in (0, 1)]
    rows = [
        {"text": word} | {str(k): "validation" if word in part else "train" for k, part in enumerate(parts)}
        for word in sorted(words)
    ]
    return pd.DataFrame(rows)


def make() -> dict[str, tuple[str, pd.DataFrame]]:
    """Compute every frozen fold file: file name without suffix to comment and folds."""
    in_turn = "speakers in turn, women then men; fold k tests group k and validates on group k + 1"
    crossed = "fold 2k + h tests the speakers of fold k with half h of the texts; the others train with the other half"
    files = {
        "ravdess-speaker": ("test actors: EmoBox, Interspeech 2024; validation: the next fold's", ravdess_speaker()),
        "ravdess-reslstm-5": (
            "test and validation actors: ResLSTM-SA, Krasnoproshin and Vashkevich 2026",
            ravdess_reslstm(),
        ),
        "tess-speaker": ("one actress to the other; validation: held-out words of the other", tess_speaker()),
        "ravdess-speaker-text": (crossed, ravdess_speaker_text()),
        "tess-speaker-text": (
            "one actress with half of the words; the other actress trains with the other half",
            tess_speaker_text(),
        ),
        "tess-cross": ("validation: held-out words of both actresses; the other corpus is tested on", tess_cross()),
        "emodb-speaker": (in_turn, fold_rules.assign_speakers(corpora.manifest("emodb"), folds=5)),
        "savee-speaker": (in_turn, fold_rules.assign_speakers(corpora.manifest("savee"), folds=4)),
        "nemo-speaker": (in_turn, fold_rules.assign_speakers(corpora.manifest("nemo"), folds=4)),
        "cremad-speaker": (in_turn, fold_rules.assign_speakers(corpora.manifest("cremad"), folds=6)),
    }
    for name in ("emodb", "savee", "nemo", "cremad"):
        group = _tested_in(files[f"{name}-speaker"][1])
        files[f"{name}-speaker-text"] = (
            crossed,
            fold_rules.assign_speakers_and_texts(corpora.manifest(name), group=group),
        )
    for name in (
        "ravdess",
        "tess",
        "emodb",
        "savee",
        "nemo",
    ):  # the list of CREMA-D lacks three files: computed on loading
        files[f"{name}-random"] = (
            "stratified by emotion over utterances",
            fold_rules.assign_utterances(corpora.manifest(name)),
        )
        files[f"{name}-leaky"] = (
            "number of the fold that tests an utterance or copy",
            fold_rules.assign_clips(splits.pool_copies(corpora.manifest(name))),
        )
    return files


def _tested_in(folds: pd.DataFrame) -> dict[str, int]:
    """Map speakers to the number of the fold that tests them."""
    rows = folds.set_index("speaker").to_dict("index")
    return {
        speaker: int(next(fold for fold, subset in row.items() if subset == "test")) for speaker, row in rows.items()
    }


def render(comment: str, frame: pd.DataFrame) -> str:
    """Format a fold file: a comment line, then CSV."""
    return f"# {comment}\n" + frame.to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    for stem, (text, frame) in make().items():
        (Path(__file__).parent / f"{stem}.csv").write_text(render(text, frame), encoding="utf-8")
        print(stem, len(frame))
