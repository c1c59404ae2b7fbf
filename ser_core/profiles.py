"""What ``make reproduce PROFILE=...`` runs and shows: a name, the corpora, and the cells to train."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ser_core.errors import SerError
from ser_core.experiment import Spec
from ser_core.sweep import expand

NETWORK = "cnn_bilstm_attention"
ABLATION = ("a1", "a2", "a3", "a4", NETWORK, "cnn_bilstm_attention_lite")
QUICK = {"epochs": 2, "augment": ""}
"""How ``SER_QUICK=1`` cuts a cell."""


@dataclass(frozen=True)
class Profile:
    """One way of going through the notebooks."""

    name: str
    corpora: tuple[str, ...]
    specs: tuple[Spec, ...]
    published: bool = False  # rows are read from runs/published, nothing is trained


def _demo() -> Iterator[Spec]:
    """Two folds of the demo RAVDESS and the demo TESS both ways; few epochs."""
    capped = Spec(corpus="demo_ravdess", epochs=10)
    yield from expand(capped, fold=range(2))
    yield from expand(replace(capped, corpus="demo_tess"), fold=range(2))


def _quick() -> Iterator[Spec]:
    """The real corpora, one fold each, capped epochs."""
    yield Spec(corpus="ravdess", epochs=10)
    yield Spec(corpus="tess", epochs=5)


def _published() -> Iterator[Spec]:
    """The rows of ``runs/published``. The convolutions' products are in bfloat16, which halves their time on the
    processor that measured them; tables say so."""
    common = Spec(corpus="ravdess", precision="mixed_bfloat16")
    yield from expand(common, fold=range(6))
    yield from expand(replace(common, corpus="tess"), fold=range(2))
    for protocol in ("random", "speaker"):
        yield from expand(replace(common, protocol=protocol, augment=""), fold=range(6))
    yield from expand(replace(common, protocol="random"), fold=range(6))


def _paper() -> Iterator[Spec]:
    """The matrix as the paper states it, in float32, what a reader wants first first."""
    base = Spec(corpus="ravdess")
    yield from expand(base, fold=range(6))
    yield from expand(replace(base, corpus="tess"), fold=range(2))
    yield from expand(replace(base, corpus="ravtess"), fold=range(6))
    yield from expand(replace(base, protocol="random"), fold=range(6))
    for corpus in ("ravdess", "ravtess"):
        for model in ABLATION:
            yield from expand(Spec(corpus=corpus, model=model), fold=range(6))
    yield from expand(replace(base, corpus="ravtess_calm_merged"), fold=range(6))
    yield from expand(replace(base, learning_rate=0.0001), fold=range(6))


PROFILES = {
    "demo": (("demo_ravdess", "demo_tess"), _demo),
    "quick": (("ravdess", "tess"), _quick),
    "paper": (("ravdess", "tess"), _paper),
    "published": (("ravdess", "tess"), _published),
}


def profile(name: str, *, quick: bool = False) -> Profile:
    """A profile by name; ``quick`` keeps one cell a corpus and protocol, for two epochs and without augmentation.

    Raises
    ------
    SerError
        for an unknown name
    """
    if name not in PROFILES:
        raise SerError(f"profile {name!r}: not known; choose among {', '.join(PROFILES)}")
    corpora, cells = PROFILES[name]
    specs = tuple(dict.fromkeys(cells()))
    if quick and name != "published":
        specs = tuple(dict.fromkeys(replace(spec, **QUICK) for spec in specs if spec.fold == 0))[:2]
    return Profile(name, corpora, specs, published=name == "published")
