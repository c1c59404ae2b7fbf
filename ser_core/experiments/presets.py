"""What ``make reproduce PROFILE=...`` runs and shows: a name, the corpora, and the cells that each notebook trains."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from ser_core._utils.errors import SerError
from ser_core.audio import degradation
from ser_core.experiments import grids
from ser_core.experiments.grids import LITE
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import PADDINGS, Spec
from ser_core.experiments.sweep import expand

ABLATION = grids.TABLES["table5"][1]
QUICK = {"epochs": 2, "augment": ""}
"""How ``SER_QUICK=1`` cuts a cell; a leaky one keeps one augmentation, without which there is no copy."""
LEAKY = {"ravdess": 300, "ravtess": 300}
"""Epochs of the leaky fold of each corpus: the paper's."""
ADAPTED = ("corpus", "speaker", "coral")


@dataclass(frozen=True)
class Profile:
    """One way of going through the notebooks."""

    name: str
    corpora: tuple[str, ...]
    parts: dict[str, tuple[Spec, ...]]  # what notebooks show: "training" 03, "comparison" 04, "ablation" 05, ...
    published: bool = False  # rows are read from runs/published, nothing is trained

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The cells of all parts, each once; those of the longest training, ``leaky``, last."""
        each = dict.fromkeys(spec for part in self.parts.values() for spec in part)
        return tuple(sorted(each, key=lambda spec: spec.protocol == "leaky"))


def _demo() -> dict[str, Iterator[Spec]]:
    """Few cells of few epochs on the demo corpus."""
    capped = Spec(corpus="demo_ravdess", epochs=10)
    plain = {"corpus": "demo_ravdess", "augment": ""}
    small = [Spec(model=name, epochs=4, **plain) for name in ("lstm_attention", "reslstm_sa")]
    return {
        "training": [*expand(capped, fold=range(2)), *expand(replace(capped, corpus="demo_tess"), fold=range(2))],
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
        "ablation": [Spec(model=name, epochs=10, **plain) for name in ABLATION],
    }  # fmt: skip


def crossed(base: Spec, first: str, second: str, **choices) -> Iterator[Spec]:
    """Cells of both directions between two corpora, for all combinations of the named fields' values."""
    for corpus, target in ((first, second), (second, first)):
        yield from expand(replace(base, corpus=corpus, protocol="cross", test_corpus=target), **choices)


def _quick() -> dict[str, Iterator[Spec]]:
    """The real corpora, one fold each, capped epochs."""
    capped = Spec(corpus="ravdess", epochs=10)
    plain = {"corpus": "ravdess", "augment": ""}
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


IMAGES = {"features": "mel_small", "epochs": 15, "augment": ""}
"""How the image networks of Table II are cut for the published rows: 64 x 128 mel, 15 epochs."""
SIX = ("svm_egemaps", "svm_compare", "reslstm_sa", "lstm_attention", "cnn_lstm", "base_cnn", "parallel_cnn_transformer")
"""Measured on all six folds, after A1 to A5; the other systems on two."""
SHIFTED = ("cnn_lstm", "base_cnn", "parallel_cnn_transformer")
"""Networks that normalise by the batch behind dropout: measured with statistics taken without it, too."""
SLOW = ("clstm", "cnn_transformer", "cnn_blstm_attention", "gated_residual", "cnn_lstm_1d", "cnn_lstm_2d")
EPOCHS = {("ravdess", name): 20 for name in SLOW} | {("ravtess", "base_cnn"): 100}
"""How published rows are cut: networks of which an epoch takes 18 to 38 s on one core, and one that learns for long."""


def _published() -> dict[str, Iterator[Spec]]:
    """The rows of ``runs/published``, in the order of what a reader wants first.

    The convolutions' products are in bfloat16, which halves their time on some processors; tables say so. Copies of
    four techniques make a training five times as long: A5 has them under ``speaker`` and ``random``; all others, and
    whatever changes one thing about A5, are trained without, beside an A5 trained likewise.
    """
    common = Spec(corpus="ravdess", precision="mixed_bfloat16")
    plain = replace(common, augment="")
    both = replace(plain, corpus="ravtess")
    others = [name for name, model in grids.models.MODELS.items() if name not in (*ABLATION, LITE, *SIX)]
    images = ("vgg16", "resnet50")
    named = lambda name, corpus="ravdess", **fields: Spec(  # noqa: E731
        corpus=corpus, model=name, augment="", **_precision(name), **(_epochs(corpus, name) | fields)
    )
    return {
        "training": [
            *expand(common, fold=range(6)),
            *expand(replace(common, corpus="tess"), fold=range(2)),
            *expand(plain, protocol=("random", "speaker"), fold=range(6)),
            *expand(replace(common, protocol="random"), fold=range(6)),
        ],
        "protocols": _protocols(common, plain, folds=2, leaky_epochs=LEAKY | {"ravtess": 30}),
        "cross": _cross(plain, folds=2),
        "robustness": list(expand(plain, fold=range(6), condition=degradation.STANDARD)),
        "comparison": [
            *expand(plain, seed=range(3), fold=range(6)),
            *expand(common, fold=range(6)),
            *(spec for name in (*SIX[:3], LITE, *SIX[3:]) for spec in expand(named(name), fold=range(6))),
            *(Spec(corpus="ravdess", model=name, **IMAGES, **_precision(name)) for name in images),
            *(spec for name in others if name not in images
              for spec in expand(named(name), fold=range(2))),
            *(spec for name in grids.TABLES["table4"][1]
              for spec in expand(named(name, "ravtess"), fold=range(2))),
            *(spec for name in SHIFTED
              for spec in expand(named(name, batch_norm="precise", epochs=40), fold=range(2))),
            *(spec for name in SHIFTED[:2]
              for spec in expand(named(name, "ravtess", batch_norm="precise", epochs=20), fold=range(2))),
        ],
        "ablation": [
            *(spec for name in ABLATION for spec in expand(Spec(**_fields(plain, model=name)), fold=range(6))),
            *(spec for name in ABLATION for spec in expand(Spec(**_fields(both, model=name)), fold=range(2))),
            *expand(common, fold=range(6)),
            *(Spec(**_fields(plain, **fields)) for _, fields in grids.ablation_grid()),
            *expand(plain, seed=(1, 2), fold=range(6)),
            *expand(replace(both, corpus="ravtess_calm_merged"), fold=range(2)),
        ],
    }  # fmt: skip


def _protocols(base: Spec, plain: Spec, folds: int, leaky_epochs: dict[str, int]) -> list[Spec]:
    """A5 under every protocol: RAVDESS whole, TESS both ways, so many folds of RavTess, and one leaky fold of each.

    base : with augmented copies; plain : without, for what is many or large; leaky_epochs : so long does leaky train,
    by corpus, which nothing stops early: the paper's 300 epochs, or what there was time for.
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
    """A5 from RAVDESS to TESS and back, with zero and with masked padding, and adapted in each way, fold by fold."""
    return [
        spec
        for fold in range(folds)
        for choice in (*({"padding": [kind]} for kind in PADDINGS), *({"adapt": [kind]} for kind in ADAPTED))
        for spec in crossed(replace(plain, fold=fold), "ravdess", "tess", **choice)
    ]


def _precision(name: str) -> dict:
    return {"precision": "mixed_bfloat16"} if grids.models.MODELS[name].kind == "network" else {}


def _epochs(corpus: str, name: str) -> dict:
    return {"epochs": EPOCHS[corpus, name]} if (corpus, name) in EPOCHS else {}


def _fields(base: Spec, **changed) -> dict:
    """The fields of a spec with some changed; the input then follows the model or the channels again."""
    kept = {name: value for name, value in asdict(base).items() if name not in ("features", "frames", "rate")}
    return kept | changed


def _paper() -> dict[str, Iterator[Spec]]:
    """The matrix as the paper states it, in float32, what a reader wants first first."""
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
            *(spec for name in grids.models.MODELS if name not in ABLATION
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


PROFILES: dict[str, tuple[tuple[str, ...], Callable]] = {
    "demo": (("demo_ravdess", "demo_tess"), _demo),
    "quick": (("ravdess", "tess"), _quick),
    "paper": (("ravdess", "tess"), _paper),
    "published": (("ravdess", "tess"), _published),
}


def get_profile(name: str, *, quick: bool = False) -> Profile:
    """A profile by name; ``quick`` keeps one or two cells a part, for two epochs and without augmentation.

    Raises
    ------
    SerError
        for an unknown name
    """
    if name not in PROFILES:
        raise SerError(f"profile {name!r}: not known; choose among {', '.join(PROFILES)}")
    corpora, cells = PROFILES[name]
    parts = {part: tuple(dict.fromkeys(specs)) for part, specs in cells().items()}
    if quick and name != "published":
        parts = {part: _small(specs) for part, specs in parts.items()}
    return Profile(name, corpora, parts, published=name == "published")


def _small(specs: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """At most two cells of fold 0, networks cut; the last one is kept, so that each kind of system is tried."""
    cut = dict.fromkeys(
        replace(spec, **QUICK | ({"augment": "shift"} if spec.protocol == "leaky" else {}))
        for spec in specs
        if spec.fold == 0
    )
    return tuple(dict.fromkeys([*list(cut)[:1], *list(cut)[-1:]]))


def profile_results(plan: Profile, part: str, *, workers: int = 1) -> tuple[list[RunResult], list[str]]:
    """Load the published results that a notebook shows, or run its specs now.

    Returns
    -------
    results : list of RunResult
        those that succeeded, in the order of the part's specs
    errors : list of str
        one line per run that failed
    """
    from ser_core.experiments import store
    from ser_core.experiments.sweep import run_sweep

    wanted = {spec: place for place, spec in enumerate(plan.parts[part])}
    if plan.published:
        results = [result for result in store.load_rows(store.published_dir()) if store.spec_of(result) in wanted]
    else:
        results = list(run_sweep(wanted, workers=workers))
    results.sort(key=lambda result: wanted[result.make_spec()])
    errors = [f"{one.spec['model']}, fold {one.spec['fold']}: {one.error}" for one in results if one.error]
    return [result for result in results if result.ok], errors


def results_folder(plan: Profile):
    """Return the folder of the predictions of a profile's results."""
    from ser_core.experiments import store

    return store.published_dir() if plan.published else store.store_dir()
