"""List the runs of each profile of ``make reproduce PROFILE=...``, by the notebook that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from ser_core import models
from ser_core._utils.errors import SerError
from ser_core._utils.words import near
from ser_core.audio import degradation
from ser_core.experiments import grids, searches
from ser_core.experiments.grids import LITE
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import PADDINGS, Spec
from ser_core.experiments.sweep import expand

Parts = dict[str, list[Spec]]
"""What a notebook shows ("training" 03, "comparison" 04, "ablation" 05, ...) to its specs."""
ABLATION = grids.TABLES["table5"][1]
"""Systems A1 to A5."""
QUICK: dict[str, Any] = {"epochs": 2, "augment": ""}
"""Fields that ``SER_QUICK=1`` sets; ``leaky`` keeps one augmentation, because it needs augmented copies."""
LEAKY = {"ravdess": 300, "ravtess": 300}
"""Corpus to the paper's number of epochs, used for its fold under ``leaky``."""
FOUR = {"ravdess": 6, "tess": 2, "nemo": 4, "emodb": 5}
"""Corpora of the multilingual matrix to their numbers of folds under ``cross``: English twice, Polish, German."""
ADAPTED = ("corpus", "speaker", "coral")
"""Kinds of adaptation to the target corpus that are compared under ``cross``."""


@dataclass(frozen=True)
class Profile:
    """The runs that the notebooks show under one profile.

    Attributes
    ----------
    name : str
    corpora : tuple of str
        corpora that the notebooks describe
    parts : dict
        what a notebook shows ("training" 03, "comparison" 04, "ablation" 05, ...) to its specs
    published : bool
        read the results from ``runs/published``; nothing is trained
    """

    name: str
    corpora: tuple[str, ...]
    parts: dict[str, tuple[Spec, ...]]
    published: bool = False

    @property
    def specs(self) -> tuple[Spec, ...]:
        """Return the specs of all parts, each once; ``leaky``, which trains longest, last."""
        each = dict.fromkeys(spec for part in self.parts.values() for spec in part)
        return tuple(sorted(each, key=lambda spec: spec.protocol == "leaky"))


def _demo() -> Parts:
    """Return few runs of few epochs on the demo corpus; no recording of ``demo_tess`` is longer than 3 s."""
    capped = Spec(corpus="demo_ravdess", epochs=8)
    plain: dict[str, Any] = {"corpus": "demo_ravdess", "augment": ""}
    small = [Spec(model=name, epochs=4, **plain) for name in ("lstm_attention", "reslstm_sa")]
    return {
        "training": [
            *expand(capped, fold=range(2)),
            *expand(replace(capped, corpus="demo_tess", frames=300), fold=range(2)),
        ],
        "protocols": list(expand(
            Spec(corpus="demo_ravdess", augment="shift", frames=128, epochs=12),
            protocol=("speaker", "random", "speaker-text", "leaky"),
        )),
        "cross": [
            *crossed(Spec(model="svm", **plain), "demo_ravdess", "demo_tess", adapt=("none", *ADAPTED)),
            *expand(Spec(model="a2", epochs=2, frames=128, protocol="cross", test_corpus="demo_tess", **plain),
                    padding=PADDINGS),
        ],
        "robustness": list(expand(capped, condition=("white:0", "telephone"))),
        "comparison": [replace(capped, augment=""), *small, Spec(model="svm", **plain)],
        "ablation": [Spec(model=name, epochs=8, **plain) for name in ABLATION],
    }  # fmt: skip


def crossed(base: Spec, first: str, second: str, **choices) -> Iterator[Spec]:
    """Return the specs of both directions between two corpora under ``cross``.

    Parameters
    ----------
    base : Spec
        it sets all other fields
    first, second : str
        corpora
    **choices
        as in :func:`ser_core.experiments.sweep.expand`

    Yields
    ------
    Spec

    Examples
    --------
    >>> [(spec.corpus, spec.test_corpus) for spec in crossed(Spec(corpus="demo"), "ravdess", "tess")]
    [('ravdess', 'tess'), ('tess', 'ravdess')]
    """
    for corpus, target in ((first, second), (second, first)):
        yield from expand(replace(base, corpus=corpus, protocol="cross", test_corpus=target), **choices)


def _quick() -> Parts:
    """Return one fold of each real corpus, with few epochs."""
    capped = Spec(corpus="ravdess", epochs=10)
    plain: dict[str, Any] = {"corpus": "ravdess", "augment": ""}
    return {
        "training": [capped, Spec(corpus="tess", epochs=5)],
        "protocols": [
            replace(capped, augment=""),
            *expand(Spec(epochs=10, **plain), protocol=("random", "speaker-text")),
            Spec(corpus="ravdess", augment="shift", epochs=10, protocol="leaky"),
        ],
        "cross": [
            *crossed(Spec(epochs=5, **plain), "ravdess", "tess", padding=PADDINGS),
            *crossed(Spec(epochs=5, **plain), "ravdess", "tess", adapt=ADAPTED),
        ],
        "robustness": list(expand(capped, condition=degradation.STANDARD)),
        "comparison": [
            replace(capped, augment=""),
            *(Spec(model=name, epochs=5, **plain) for name in ("lstm_attention", "reslstm_sa")),
            Spec(model="svm", **plain),
        ],
        "ablation": [Spec(model=name, epochs=10, **plain) for name in ABLATION],
    }


IMAGES: dict[str, Any] = {"features": "mel_small", "epochs": 15, "augment": ""}
"""Fields of the image networks of Table II in the published results: 64 x 128 mel, 15 epochs."""
SIX = (
    "svm_egemaps", "svm_compare", "reslstm_sa", "lstm_attention", "cnn_lstm", "base_cnn", "parallel_cnn_transformer",
    "linear_functionals", "linear_egemaps", "linear_compare", "voice_network", "voice_network_robust",
    "voice_network_distilled", "without_speech", "first_250ms",
)  # fmt: skip
"""Systems measured on all six folds, like A1 to A5; the others are measured on two."""
SHIFTED = ("cnn_lstm", "base_cnn", "parallel_cnn_transformer")
"""Networks with batch normalisation after dropout: also measured with statistics computed without dropout."""
IMAGE_NETWORKS = ("vgg16", "resnet50")
NOISY = ("white:20", "white:10", "babble:20", "babble:10", "reverb:0.6", "telephone", "codec:opus:8")
"""Conditions under which the small networks are measured beside A5."""
SLOW = ("clstm", "cnn_transformer", "cnn_blstm_attention", "gated_residual", "cnn_lstm_1d", "cnn_lstm_2d")
EPOCHS = {("ravdess", name): 20 for name in SLOW} | {("ravtess", "base_cnn"): 100}
"""Maximum epochs in the published results of slow networks (18 to 38 s per epoch on one core), and of one that learns
slowly."""


def _published() -> Parts:
    """Return the runs of ``runs/published``, the most important first.

    Convolutions multiply in bfloat16, which halves their time on some processors. Copies by four techniques make
    training five times as long, so only A5 has them, under ``speaker`` and ``random``. All other systems and the
    ablations are trained without copies and compared with an A5 that is too.
    """
    common = Spec(corpus="ravdess", precision="mixed_bfloat16")
    plain = replace(common, augment="")
    both = replace(plain, corpus="ravtess")
    return {
        "training": [
            *expand(common, fold=range(6)),
            *expand(replace(common, corpus="tess"), fold=range(2)),
            *expand(plain, protocol=("random", "speaker"), fold=range(6)),
            *expand(replace(common, protocol="random"), fold=range(6)),
        ],
        "protocols": _protocols(common, plain, folds=2, leaky_epochs=LEAKY | {"ravtess": 30}),
        "cross": [*_cross(plain, folds=2), *multilingual("linear_functionals"), *multilingual("whisper_tiny_en")],
        "robustness": [
            *expand(plain, fold=range(6), condition=degradation.STANDARD),
            *(
                spec
                for small in (
                    *_system("voice_network", folds=6, features="voice_peak"),
                    *_system("voice_network_robust", folds=6),
                )
                for spec in expand(small, condition=NOISY)
            ),
        ],
        "comparison": _published_comparison(common, plain),
        "ablation": [
            *(spec for name in ABLATION for spec in expand(_with_changes(plain, model=name), fold=range(6))),
            *(spec for name in ABLATION for spec in expand(_with_changes(both, model=name), fold=range(2))),
            *expand(common, fold=range(6)),
            *(_with_changes(plain, **fields) for _, fields in grids.ablation_grid()),
            *expand(plain, seed=(1, 2), fold=range(6)),
            *expand(replace(both, corpus="ravtess_calm_merged"), fold=range(2)),
        ],
    }


def _published_comparison(common: Spec, plain: Spec) -> list[Spec]:
    """Return the published runs of all systems; ``common`` has augmented copies, ``plain`` has none."""
    others = [name for name in models.MODELS if name not in (*ABLATION, LITE, *SIX, *IMAGE_NETWORKS)]
    return [
        *expand(plain, seed=range(3), fold=range(6)),
        *expand(common, fold=range(6)),
        *(spec for name in (*SIX[:3], LITE, *SIX[3:]) for spec in _system(name, folds=6)),
        *(
            spec
            for recipe in (searches.reslstm_recipe(), searches.reslstm_recipe(batch=64))
            for spec in expand(recipe, fold=searches.FOLDS)
        ),
        *(Spec(corpus="ravdess", model=name, **IMAGES, **_precision(name)) for name in IMAGE_NETWORKS),
        *(spec for name in others for spec in _system(name)),
        *(spec for name in grids.TABLES["table4"][1] for spec in _system(name, "ravtess")),
        *(spec for name in SHIFTED for spec in _system(name, batch_norm="precise", epochs=40)),
        *(spec for name in SHIFTED[:2] for spec in _system(name, "ravtess", batch_norm="precise", epochs=20)),
    ]


def _system(name: str, corpus: str = "ravdess", folds: int = 2, **fields: Any) -> Iterator[Spec]:
    """Return the published runs of one system without augmented copies, one per fold."""
    changed = _precision(name) | _epochs(corpus, name) | fields
    return expand(Spec(corpus=corpus, model=name, augment="", **changed), fold=range(folds))


def _protocols(base: Spec, plain: Spec, folds: int, leaky_epochs: dict[str, int]) -> list[Spec]:
    """Return the runs of A5 under every protocol.

    Parameters
    ----------
    base : Spec
        with augmented copies
    plain : Spec
        without copies, for many or large runs
    folds : int
        number of folds of RavTess; RAVDESS has all folds, TESS both directions
    leaky_epochs : dict
        corpus to the epochs of its one fold under ``leaky``, which has no early stopping: the paper's 300, or fewer
    """
    leaky = replace(base, protocol="leaky", patience=300)
    return [
        *expand(base, protocol=("speaker", "random"), fold=range(6)),
        *expand(plain, protocol=("speaker", "random"), fold=range(6)),
        *expand(replace(plain, protocol="speaker-text"), fold=range(12)),
        *expand(replace(base, corpus="tess"), fold=range(2)),
        *expand(replace(plain, corpus="tess"), fold=range(2), protocol=("speaker", "random")),
        *expand(replace(plain, corpus="tess", protocol="speaker-text"), fold=range(4)),
        *expand(replace(plain, corpus="ravtess"), fold=range(folds), protocol=("speaker", "random", "speaker-text")),
        *(replace(leaky, corpus=corpus, epochs=epochs) for corpus, epochs in leaky_epochs.items()),
    ]


def _cross(plain: Spec, folds: int) -> list[Spec]:
    """Return the runs of A5 between RAVDESS and TESS, per kind of padding and of adaptation, fold by fold."""
    return [
        spec
        for fold in range(folds)
        for choice in (*({"padding": [kind]} for kind in PADDINGS), *({"adapt": [kind]} for kind in ADAPTED))
        for spec in crossed(replace(plain, fold=fold), "ravdess", "tess", **choice)
    ]


def multilingual(model: str) -> list[Spec]:
    """Return the runs of one system between every two of the four corpora, without and with adaptation.

    Examples
    --------
    >>> runs = multilingual("linear_functionals")
    >>> len(runs), len({(run.corpus, run.test_corpus) for run in runs})
    (102, 12)
    """
    return [
        spec
        for first, second in combinations(FOUR, 2)
        for spec in crossed(Spec(model=model, augment="", **_precision(model)), first, second, adapt=("none", "corpus"))
        for spec in expand(spec, fold=range(FOUR[spec.corpus]))
    ]


def _precision(name: str) -> dict[str, Any]:
    """Return the precision of the published runs of a system."""
    return {"precision": "mixed_bfloat16"} if models.MODELS[name].kind == "network" else {}


def _epochs(corpus: str, name: str) -> dict[str, Any]:
    """Return the maximum epochs of the published runs of a system, where they are capped."""
    return {"epochs": EPOCHS[corpus, name]} if (corpus, name) in EPOCHS else {}


def _with_changes(base: Spec, **changed: Any) -> Spec:
    """Return a spec with some fields changed; its input is the model's unless it is among them."""
    fields = {name: value for name, value in asdict(base).items() if name not in ("features", "frames", "rate")}
    return Spec(**fields | changed)


def _paper() -> Parts:
    """Return the runs of the paper in float32, the most important first."""
    base = Spec(corpus="ravdess")
    six = range(6)
    return {
        "training": [
            *expand(base, fold=six),
            *expand(replace(base, corpus="tess"), fold=range(2)),
            *expand(replace(base, corpus="ravtess"), fold=six),
            *expand(replace(base, protocol="random"), fold=six),
        ],
        "protocols": _protocols(base, replace(base, augment=""), folds=6, leaky_epochs=LEAKY),
        "cross": _cross(replace(base, augment=""), folds=2),
        "robustness": list(expand(base, fold=six, condition=degradation.STANDARD)),
        "comparison": [
            *expand(base, fold=six),
            *(spec for name in models.MODELS if name not in ABLATION
              for spec in expand(Spec(corpus="ravdess", model=name), fold=six)),
            *(spec for name in grids.TABLES["table4"][1]
              for spec in expand(Spec(corpus="ravtess", model=name), fold=six)),
        ],
        "ablation": [
            *(spec for corpus in ("ravdess", "ravtess") for name in ABLATION
              for spec in expand(Spec(corpus=corpus, model=name), fold=six)),
            *(spec for _, fields in grids.ablation_grid()
              for spec in expand(Spec(corpus="ravdess", **fields), fold=six)),
            *expand(replace(base, corpus="ravtess_calm_merged"), fold=six),
        ],
    }  # fmt: skip


PROFILES: dict[str, tuple[tuple[str, ...], Callable[[], Parts]]] = {
    "demo": (("demo_ravdess", "demo_tess"), _demo),
    "quick": (("ravdess", "tess"), _quick),
    "paper": (("ravdess", "tess"), _paper),
    "published": (("ravdess", "tess"), _published),
}
"""Name of a profile to its corpora and a function that returns its runs."""


def get_profile(name: str, *, quick: bool = False) -> Profile:
    """Return a profile by its name.

    Parameters
    ----------
    name : str
        one of :data:`PROFILES`
    quick : bool, default False
        keep one or two runs per part, with two epochs and without augmentation; ``published`` stays as it is

    Returns
    -------
    Profile

    Raises
    ------
    SerError
        for an unknown name

    Examples
    --------
    >>> get_profile("demo").corpora
    ('demo_ravdess', 'demo_tess')
    """
    if name not in PROFILES:
        raise SerError(f"profile {name!r}: not known{near(name, PROFILES)}; choose among {', '.join(PROFILES)}")
    corpora, list_runs = PROFILES[name]
    parts = {part: tuple(dict.fromkeys(specs)) for part, specs in list_runs().items()}
    if quick and name != "published":
        parts = {part: _small(specs) for part, specs in parts.items()}
    return Profile(name, corpora, parts, published=name == "published")


def _small(specs: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """Return the first and the last run of fold 0 with few epochs; the last is often another kind of system."""
    short = dict.fromkeys(
        replace(spec, **QUICK | ({"augment": "shift"} if spec.protocol == "leaky" else {}))
        for spec in specs
        if spec.fold == 0
    )
    return tuple(dict.fromkeys([*list(short)[:1], *list(short)[-1:]]))


def profile_results(profile: Profile, part: str, *, workers: int = 1) -> tuple[list[RunResult], list[str]]:
    """Load the published results that a notebook shows, or run its specs now.

    Parameters
    ----------
    profile : Profile
    part : str
        one of its parts
    workers : int, default 1
        processes; each trains one run at a time

    Returns
    -------
    results : list of RunResult
        successful results, in the order of the part's specs
    errors : list of str
        one line per run that failed
    """
    from ser_core.experiments import store
    from ser_core.experiments.sweep import run_sweep

    order = {store.spec_key(spec): position for position, spec in enumerate(profile.parts[part])}
    if profile.published:
        stored = store.load_rows(store.published_dir())
        results = [result for result in stored if store.spec_key(result.spec) in order]
    else:
        results = list(run_sweep(profile.parts[part], workers=workers))
    results.sort(key=lambda result: order[store.spec_key(result.spec)])
    errors = [
        f"{result.spec['model']}, fold {result.spec['fold']}: {result.error}" for result in results if result.error
    ]
    return [result for result in results if result.ok], errors


def results_folder(profile: Profile) -> Path:
    """Return the folder with the predictions of a profile's results."""
    from ser_core.experiments import store

    return store.published_dir() if profile.published else store.store_dir()
