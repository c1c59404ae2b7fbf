"""Name the side of every utterance in every fold of a protocol: training, validation, test or none."""

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.protocols import splits


def load_utterances(corpus: str):
    """The utterance table of a corpus without a need for its audio: the published list, else what is here."""
    return corpora.manifest(corpus) if corpus in corpora.CORPORA else corpora.load(corpus)


def utterance_sides(corpus: str, protocol: str, test_corpus: str | None = None):
    """On which side every utterance stands in every fold.

    Returns
    -------
    DataFrame: ``id``, ``corpus``, ``speaker``, ``text``, ``emotion`` and one column a fold ("train", "validation",
    "test" or "none"), sorted by id; under ``leaky`` one line a clip, under ``cross`` the tested corpus's below

    Raises
    ------
    SerError
        for an unknown corpus or protocol, or one that the corpus cannot fill
    """
    import pandas as pd

    protocol = splits.canonical_protocol(protocol)
    table = load_utterances(corpus)
    count = splits.fold_count(table, protocol)
    options, lines = {}, table
    if protocol == "cross":
        if not test_corpus:
            raise SerError("protocol cross: needs a corpus to test on; name it with --test-corpus")
        shared = _labels(corpus, test_corpus)
        table, target = (one[one["emotion"].isin(shared)] for one in (table, load_utterances(test_corpus)))
        options["target"] = target
        lines = pd.concat([table, target], ignore_index=True)
    elif protocol == "leaky":
        lines = splits.pool_copies(table)
    found = lines[["id", "corpus", "speaker", "text", "emotion"]].sort_values("id", ignore_index=True)
    for fold in range(count):
        split = splits.split(table, protocol, fold, **options)
        side = {name: where for where in splits.SIDES for name in getattr(split, where)}
        found[str(fold)] = [side.get(name, "none") for name in found["id"]]
    return found


def _labels(corpus: str, target: str) -> tuple[str, ...]:
    """Emotions of the corpus, those that the tested one has as well."""
    there = set(corpora.labels(target))
    return tuple(label for label in corpora.labels(corpus) if label in there)
