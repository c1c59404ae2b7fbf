"""List every system of the suite: its title, input, source, fidelity to the source and recipe."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ser_core.features import encoders, whisper

FIDELITY = {
    "text": "as the paper's text gives it",
    "exact": "the published number of parameters is met",
    "near": "public sources fix most of it",
    "reconstruction": "only an abstract is known; the idea is built",
    "standard": "a standard method",
    "original": "made for this suite",
    "own": "user-defined",
}
"""Fidelity of a model to its source, and what it means."""


def _frozen(**values: Any) -> MappingProxyType[str, Any]:
    return MappingProxyType(values)


@dataclass(frozen=True)
class Model:
    """Describe a system: a network, or a learner such as an SVM."""

    title: str  # as tables show it
    build: str  # "module:function" or "module:class"
    features: str  # the input that it was made for, one of inputs.INPUTS
    source: str  # publication or table that gives its layers
    fidelity: str  # how close it is to its source: a key of FIDELITY
    claimed: int | None = None  # published number of parameters
    recipe: MappingProxyType[str, Any] = field(default_factory=_frozen)  # fields of a spec that its source sets
    heads: tuple[str, ...] = ()  # further labels that it learns: columns of the utterance table
    kind: str = "network"  # or "learner"
    masks: bool = False  # whether its builder takes ``masked``, which ignores padded frames
    frozen: int | None = None  # weights of its encoder, which are not trained here and not among its parameters
    version: int = 1  # increased when its answers change; part of the hash of a result


_PAPER = "Table I, Eq. 5 and 6, II.D.5"
_KOSTA = "[32] in the form of public notebooks (Data-Science-kosta/Speech-Emotion-Classification-with-PyTorch)"
_SGD = _frozen(optimizer="sgd", learning_rate=0.01)
_RAW = _frozen(augment="")
_MODELS = "ser_core.models"
_PROPOSED, _MEL, _IMAGE = (f"{_MODELS}.{name}" for name in ("cnn_bilstm_attention", "mel", "image"))
_SEQUENCE, _CLASSICAL, _PROBES, _LINEAR = (
    f"{_MODELS}.{name}" for name in ("sequence", "classical", "probes", "linear")
)
_ENCODER_WEIGHTS = {"whisper_tiny_en": 8_208_384, "whisper_base": 20_590_592}  # with the fixed positions
_LINEAR_CLASSIFIER: dict[str, Any] = {
    "build": f"{_LINEAR}:LinearClassifier", "fidelity": "standard", "recipe": _RAW, "kind": "learner"
}  # fmt: skip

MODELS: dict[str, Model] = {
    "cnn_bilstm_attention": Model(
        "CNN-BiLSTM-Attention (A5)", f"{_PROPOSED}:full", "42", _PAPER, "text", claimed=240_840, masks=True
    ),
    "cnn_bilstm_attention_lite": Model(
        "CNN-BiLSTM-Attention, lite", f"{_PROPOSED}:lite", "42",
        f"{_PAPER}; Conv2 and Conv3 depthwise-separable", "near", claimed=240_840, masks=True,
    ),
    "a1": Model("A1: CNN, MFCC", f"{_PROPOSED}:cnn", "39", "Tables V and VI, A1", "text", masks=True),
    "a2": Model("A2: CNN, MFCC+RMSE", f"{_PROPOSED}:cnn", "42", "Tables V and VI, A2", "text", masks=True),
    "a3": Model("A3: CNN+LSTM", f"{_PROPOSED}:cnn_lstm", "42", "Tables V and VI, A3", "text", masks=True),
    "a4": Model("A4: CNN+BiLSTM", f"{_PROPOSED}:cnn_bilstm", "42", "Tables V and VI, A4", "text", masks=True),
    "vgg16": Model(
        "VGG-16", f"{_IMAGE}:vgg16", "mel", "Simonyan and Zisserman 2015; head unknown", "standard",
        claimed=57_092_000, recipe=_frozen(learning_rate=0.0001),
    ),
    "resnet50": Model(
        "ResNet-50", f"{_IMAGE}:resnet50", "mel", "He et al. 2016", "exact", claimed=23_524_424
    ),
    "lstm_attention": Model(
        "LSTM+Attention", f"{_MEL}:lstm_attention", "mel", _KOSTA, "exact", claimed=200_969, recipe=_SGD
    ),
    "parallel_cnn_transformer": Model(
        "Parallel CNN+Transformer", f"{_MEL}:parallel_cnn_transformer", "mel", _KOSTA, "exact",
        claimed=395_176, recipe=_SGD,
    ),
    "base_cnn": Model("Base-CNN", f"{_MEL}:base_cnn", "mel", "[26], Slimi et al. 2022", "reconstruction", recipe=_SGD),
    "cnn_lstm": Model("CNN-LSTM", f"{_MEL}:cnn_lstm", "mel_chunks", f"{_KOSTA}; [16]", "near", recipe=_SGD),
    "cnn_transformer": Model(
        "Time-distributed CNN-Transformer", f"{_MEL}:cnn_transformer", "mel_chunks", "[26], Slimi et al. 2022",
        "reconstruction", recipe=_SGD,
    ),
    "parallel_cnn_attention": Model(
        "Parallel CNN-BiLSTM-Attention", f"{_MEL}:parallel_cnn_attention", "mel", "[27], Bautista et al. 2022", "near",
        claimed=263_593, recipe=_SGD,
    ),
    "resnet_cnn_transformer": Model(
        "ResNet-CNN-Transformer", f"{_SEQUENCE}:resnet_cnn_transformer", "mfcc40", "[25], Han et al. 2021",
        "reconstruction",
    ),
    "issa": Model(
        "Issa et al. CNN", f"{_SEQUENCE}:issa", "means", "[15], doi 10.1016/j.bspc.2020.101894", "near",
        recipe=_frozen(optimizer="rmsprop", learning_rate=0.00001),
    ),
    "cnn_lstm_1d": Model(
        "1D CNN-LSTM", f"{_SEQUENCE}:cnn_lstm_1d", "waveform", "[18], Zhao et al. 2019", "exact"
    ),
    "cnn_lstm_2d": Model("2D CNN-LSTM", f"{_MEL}:cnn_lstm_2d", "mel", "[18], Zhao et al. 2019", "near"),
    "clstm": Model(
        "CLSTM", f"{_SEQUENCE}:clstm", "waveform", "[17], Mustaqeem and Kwon 2020", "reconstruction",
        heads=("emotion",),
    ),
    "gated_residual": Model(
        "Gated residual, multi-task", f"{_SEQUENCE}:gated_residual", "mel", "[13], Zeng et al. 2019",
        "reconstruction", heads=("sex", "intensity"),
    ),
    "cnn_blstm_attention": Model(
        "CNN-BLSTM-Attention", f"{_MEL}:cnn_blstm_attention", "mel", "[20]", "reconstruction"
    ),
    "reslstm_sa": Model(
        "ResLSTM-SA", f"{_SEQUENCE}:reslstm_sa", "mfcc_chroma", "Krasnoproshin and Vashkevich 2026", "exact",
        claimed=46_772, recipe=_frozen(learning_rate=0.0002),
    ),
    "svm": Model(
        "SVM, functionals", f"{_CLASSICAL}:SupportVectorMachine", "functionals", "[9]; 294 functionals of 42 channels",
        "standard", recipe=_RAW, kind="learner", version=2,
    ),
    "svm_egemaps": Model(
        "SVM, eGeMAPS", f"{_CLASSICAL}:SupportVectorMachine", "egemaps", "[9]; Eyben et al. 2016", "standard",
        recipe=_RAW, kind="learner", version=2,
    ),
    "svm_compare": Model(
        "SVM, ComParE", f"{_CLASSICAL}:SupportVectorMachine", "compare", "[9]; Schuller et al. 2016", "standard",
        recipe=_RAW, kind="learner", version=2,
    ),
    "linear_functionals": Model(
        "Linear classifier, functionals", features="functionals_levels", source="294 functionals of 42 channels",
        **_LINEAR_CLASSIFIER,
    ),
    "linear_egemaps": Model(
        "Linear classifier, eGeMAPS", features="egemaps_levels", source="Eyben et al. 2016", **_LINEAR_CLASSIFIER
    ),
    "linear_compare": Model(
        "Linear classifier, ComParE", features="compare_levels", source="Schuller et al. 2016", **_LINEAR_CLASSIFIER
    ),
    "voice_network": Model(
        "Small network on voice functionals", f"{_MODELS}.voice_network:VoiceNetwork", "voice",
        "this suite; trained from scratch", "original", recipe=_RAW, kind="learner",
    ),
    "voice_network_robust": Model(
        "Small network on voice functionals, robust", f"{_MODELS}.voice_network:RobustVoiceNetwork", "voice_corrupted",
        "this suite; trained from scratch, with noise, rooms, lines and codecs", "original", recipe=_RAW,
        kind="learner",
    ),
    "voice_network_distilled": Model(
        "Small network on voice functionals, distilled", f"{_MODELS}.voice_network:DistilledVoiceNetwork",
        "voice_whisper", f"this suite; taught by {whisper.title('whisper_tiny_en_base')}", "original", recipe=_RAW,
        kind="learner",
    ),
    "gmm": Model(
        "GMM", f"{_CLASSICAL}:GaussianMixtures", "39", "[9]; one diagonal mixture per emotion", "standard", recipe=_RAW,
        kind="learner",
    ),
    "without_speech": Model(
        "Without speech: seven numbers", f"{_CLASSICAL}:RandomForest", "without_speech",
        "length, level, noise floor, edges; a lower bound", "standard", recipe=_RAW, kind="learner",
    ),
    "first_250ms": Model(
        "Without speech: first 250 ms", f"{_CLASSICAL}:RandomForest", "first_250ms",
        "mostly the silence before speech; a lower bound", "standard", recipe=_RAW, kind="learner",
    ),
    "hmm": Model(
        "HMM", f"{_CLASSICAL}:HiddenMarkovModels", "39", "[9]; five left-to-right states per emotion", "standard",
        recipe=_RAW, kind="learner",
    ),
    **{
        name: Model(
            f"{encoder.title}, linear probe", f"{_PROBES}:LinearProbe", name, encoder.source, "standard",
            recipe=_RAW, kind="learner",
        )
        for name, encoder in encoders.CHECKPOINTS.items()
    },
    **{
        f"{name}_attention": Model(
            f"{encoders.CHECKPOINTS[name].title}, attention probe", f"{_PROBES}:AttentionProbe", f"{name}_steps",
            encoders.CHECKPOINTS[name].source, "standard", recipe=_RAW, kind="learner",
        )
        for name in ("wav2vec2_base", "hubert_base", "wavlm_base")
    },
    "moe_wavlm_spectral": Model(
        "Mixture of experts, WavLM and spectral", f"{_PROBES}:mixture_of_experts", "wavlm_base_functionals",
        "[11], Hyeon et al. 2024", "reconstruction", recipe=_RAW,
    ),
    **{
        name: Model(
            f"{whisper.title(name)}, logistic probe", f"{_LINEAR}:logistic_regression", name, whisper.SOURCE,
            "standard", recipe=_RAW, kind="learner", frozen=sum(_ENCODER_WEIGHTS[part] for part in parts),
        )
        for name, parts in whisper.COMBINATIONS.items()
    },
}  # fmt: skip
"""Every system of the suite by name."""
