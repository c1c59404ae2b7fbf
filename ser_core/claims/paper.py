"""Tables and figures that the paper prints, as plain data.

H. Zennou, R. Ouadad, M. Ouhda, M. Baslam, "Real-Time Speech Emotion Recognition with a CNN-BiLSTM-Attention Deep
Learning Model", accepted 1 April 2026, doi 10.48084/etasr.17495, CC BY 4.0.

Figures are exactly as printed: scores in percent, latency in milliseconds, throughput in utterances per second. Nothing
is corrected here. ``None`` means that the paper gives no figure. Emotions have the suite's spelling (the paper's
"Surprised" is ``surprised``). Every table names its place in the paper under ``source``.
"""

from __future__ import annotations

from types import MappingProxyType as frozen

TITLE = "Real-Time Speech Emotion Recognition with a CNN-BiLSTM-Attention Deep Learning Model"
AUTHORS = "H. Zennou, R. Ouadad, M. Ouhda, M. Baslam"
DOI = "10.48084/etasr.17495"
LICENCE = "CC BY 4.0"

SCORES = ("accuracy", "precision", "recall", "f1")


def _rows(names: tuple[str, ...], *values: tuple) -> tuple:
    """Return one read-only dict per row of a table."""
    return tuple(frozen(dict(zip(names, row, strict=True))) for row in values)


TABLE_I = frozen(
    {
        "source": "Table I",
        "title": "1D convolutional layers",
        "rows": _rows(
            ("layer", "filters", "kernel", "activation", "pooling", "dropout"),
            ("Conv1", 64, 3, "PReLU", "MaxPool 2", 0.3),
            ("Conv2", 128, 5, "PReLU", "MaxPool 2", 0.3),
            ("Conv3", 256, 7, "PReLU", "MaxPool 2", 0.3),
        ),
    }
)

TABLE_II = frozen(
    {
        "source": "Table II",
        "title": "Performance comparison of different models compared with the proposed",
        "corpus": "ravdess",
        "rows": _rows(
            ("model", "reference", "parameters", *SCORES),
            ("VGG-16", "[32]", 57_092_000, 62.32, 58.43, 62.31, 60.40),
            ("ResNet50", "[32]", 23_524_424, 69.08, 70.12, 69.08, 69.60),
            ("LSTM+Attention", "[32]", 200_969, 60.44, 62.95, 90.02, 74.02),
            ("Parallel CNN+Transformer", "[32]", 395_176, 81.03, 80.34, 82.85, 81.57),
            ("CNN-BiLSTM-Attention", "proposed", 240_840, 91.74, 92.02, 91.11, 91.56),
        ),
    }
)

# The title says RavTess; the table has Calm, which RavTess excludes. The order of the rows is the paper's.
TABLE_III = frozen(
    {
        "source": "Table III",
        "title": "Performance on classes of the RavTess dataset",
        "corpus": "ravtess",
        "rows": _rows(
            ("emotion", "precision", "recall", "f1"),
            ("angry", 96.77, 99.89, 98.88),
            ("disgust", 94.45, 96.76, 95.98),
            ("fearful", 94.85, 89.67, 91.88),
            ("happy", 92.43, 87.76, 89.54),
            ("neutral", 92.62, 88.65, 90.65),
            ("sad", 86.54, 85.89, 95.13),
            ("surprised", 90.87, 90.81, 90.43),
            ("calm", 87.98, 98.52, 93.70),
        ),
    }
)

TABLE_IV = frozen(
    {
        "source": "Table IV",
        "title": "Performance comparison of the proposed model against baselines on the RavTess dataset",
        "corpus": "ravtess",
        "rows": _rows(
            ("model", "reference", *SCORES),
            ("Base-CNN", "[26]", 86.32, 86.43, 86.31, 86.30),
            ("CNN-LSTM", "[32]", 96.08, 96.12, 96.08, 96.09),
            ("CNN-BiLSTM-Attention", "proposed", 98.10, 97.95, 98.02, 97.98),
        ),
    }
)

_ABLATION = (
    "configuration",
    "features",
    "temporal",
    "attention",
    "accuracy",
    "f1",
    "latency_ms",
    "throughput",
)

TABLE_V = frozen(
    {
        "source": "Table V",
        "title": "Ablation study results on the RAVDESS dataset",
        "corpus": "ravdess",
        "rows": _rows(
            _ABLATION,
            ("A1", "MFCC", "CNN", False, 84.12, 84.09, 7, 142),
            ("A2", "MFCC+RMSE", "CNN", False, 86.74, 86.72, 8, 125),
            ("A3", "MFCC+RMSE", "CNN+LSTM", False, 88.76, 88.71, 10, 100),
            ("A4", "MFCC+RMSE", "CNN+BiLSTM", False, 90.21, 90.16, 11, 91),
            ("A5", "MFCC+RMSE", "CNN+BiLSTM", True, 91.74, 91.56, 12, 83),
        ),
    }
)

TABLE_VI = frozen(
    {
        "source": "Table VI",
        "title": "Ablation study results on the RavTess dataset",
        "corpus": "ravtess",
        "rows": _rows(
            _ABLATION,
            ("A1", "MFCC", "CNN", False, 88.24, 88.11, 7, 142),
            ("A2", "MFCC+RMSE", "CNN", False, 90.37, 90.29, 8, 125),
            ("A3", "MFCC+RMSE", "CNN+LSTM", False, 95.62, 95.58, 10, 100),
            ("A4", "MFCC+RMSE", "CNN+BiLSTM", False, 97.01, 96.98, 11, 91),
            ("A5", "MFCC+RMSE", "CNN+BiLSTM", True, 98.10, 97.98, 12, 83),
        ),
    }
)

TABLES = frozen(
    {
        "I": TABLE_I,
        "II": TABLE_II,
        "III": TABLE_III,
        "IV": TABLE_IV,
        "V": TABLE_V,
        "VI": TABLE_VI,
    }
)

# Section IV.A, "inference efficiency": the proposed network, one utterance.
SPEED = _rows(
    ("device", "hardware", "latency_ms", "throughput", "rtf", "source"),
    ("GPU", "NVIDIA RTX 3060", 12, 83, 0.048, "Section IV.A"),
    ("CPU", "Intel Core i7-11700", 48, 21, 0.192, "Section IV.A"),
)

CORPORA = _rows(
    ("corpus", "utterances", "speakers", "emotions", "source"),
    (
        "ravdess",
        None,
        24,
        8,
        "Section II.A.1",
    ),  # 192 each of happy, sad and angry are the only counts given
    ("tess", 2800, 2, 7, "Section II.A.2"),
    ("ravtess", None, None, 7, "Section II.A.3"),
)

# Statements that the paper makes twice and differently, each with its places.
TWICE = _rows(
    ("what", "first", "first_source", "second", "second_source"),
    ("learning rate", 0.001, "Section II.D.5", 0.0001, "Section III.A"),
    ("epochs", "300 with early stopping", "Section II.D.5", "300", "Section III.A"),
    (
        "processor",
        "Intel Core i5-8365U",
        "Section III.A",
        "Intel Core i7-11700",
        "Section IV.A",
    ),
    (
        "latency",
        "reserved for future work",
        "Abstract",
        "12 ms (GPU), 48 ms (CPU)",
        "Section IV.A",
    ),
)

SETTINGS = frozen(
    {
        "mfcc": 13,  # II.D.1
        "frame_ms": 25,
        "hop_ms": 10,
        "delta_window": 2,
        "frames": 400,
        "lstm_units": 64,  # II.D.3
        "dense": (128, 64),  # II.D.5
        "dropout": 0.3,
        "optimiser": "Adam",
        "learning_rate": 0.001,
        "batch": 32,
        "epochs": 300,
    }
)

HEADLINES = _rows(
    ("claim", "value", "unit", "source"),
    ("accuracy on RavTess", 98.10, "%", "Abstract, Table IV"),
    ("accuracy on RAVDESS", 91.74, "%", "Section IV.A, Table II"),
    ("parameters", 240_840, "weights", "Table II"),
    ("latency per utterance on a CPU", 48, "ms", "Section IV.A"),
    ("gain of attention on RAVDESS (A4 to A5)", 1.53, "points", "Table V"),
    (
        "merging Calm and Neutral",
        None,
        "does not significantly impact performance",
        "Section V",
    ),
)

# Not from the paper: accuracy of human listeners on RAVDESS speech, audio only, with neutral and calm as one answer
# (S. R. Livingstone, F. A. Russo, PLOS ONE 13(5), e0196391, 2018, supplementary tables S1 to S4).
LISTENERS = frozen(
    {
        "corpus": "ravdess",
        "classes": 8,
        "accuracy": 62.4,
        "normal": 58.0,
        "strong": 67.4,
    }
)

# Names of networks in the suite, and in the tables of the paper.
PROPOSED = ("cnn_bilstm_attention", "cnn_bilstm_attention_lite")
COMPARED = frozen(
    {
        "vgg16": "VGG-16",
        "resnet50": "ResNet50",
        "lstm_attention": "LSTM+Attention",
        "parallel_cnn_transformer": "Parallel CNN+Transformer",
        "base_cnn": "Base-CNN",
        "cnn_lstm": "CNN-LSTM",
        **dict.fromkeys(PROPOSED, "CNN-BiLSTM-Attention"),
    }
)
ABLATIONS = frozen({"a1": "A1", "a2": "A2", "a3": "A3", "a4": "A4"})


def table(number: str) -> tuple[dict, ...]:
    """Return the rows of a table of the paper as dicts, ready for ``pandas.DataFrame``.

    Parameters
    ----------
    number : str
        a key of :data:`TABLES`: "I" to "VI"

    Returns
    -------
    tuple of dict

    Examples
    --------
    >>> table("IV")[2]["accuracy"]
    98.1
    """
    return tuple(dict(row) for row in TABLES[number]["rows"])


def paper_corpus(corpus: str) -> str:
    """Return the corpus of the paper that a corpus of the suite corresponds to.

    >>> paper_corpus("demo"), paper_corpus("demo_tess"), paper_corpus("ravtess_calm_merged")
    ('ravdess', 'tess', 'ravtess')
    """
    name = "ravdess" if corpus == "demo" else corpus.removeprefix("demo_")
    return "ravtess" if name == "ravtess_calm_merged" else name


def is_proposed(model: str) -> bool:
    """Return whether a model of the suite is the proposed network or one of its ablations."""
    return model in PROPOSED or model in ABLATIONS


def claimed_scores(model: str, corpus: str) -> dict | None:
    """Return the scores that the paper prints for a model of the suite on a corpus.

    For a demo corpus, these are the scores on the corpus that it imitates. A demo can neither confirm nor refute them.

    Parameters
    ----------
    model, corpus : str
        names in the suite

    Returns
    -------
    dict or None
        some of ``accuracy``, ``precision``, ``recall``, ``f1`` (fractions), and ``source``; None if the paper prints
        no scores

    Examples
    --------
    >>> claimed_scores("a1", "ravdess")
    {'accuracy': 0.8412, 'f1': 0.8409, 'source': 'Table V'}
    """
    name = paper_corpus(corpus)
    for number, column, wanted in (
        ("II", "model", COMPARED.get(model)),
        ("IV", "model", COMPARED.get(model)),
        ("V", "configuration", ABLATIONS.get(model)),
        ("VI", "configuration", ABLATIONS.get(model)),
    ):
        rows = [row for row in TABLES[number]["rows"] if row[column] == wanted]
        if not rows or TABLES[number]["corpus"] != name:
            continue
        row = rows[0]
        scores = {score: round(row[score] / 100, 6) for score in SCORES if score in row}
        return {**scores, "source": TABLES[number]["source"]}
    return None
