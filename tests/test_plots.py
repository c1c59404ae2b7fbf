"""Figures: every one has a title and labelled axes, and shows the numbers that it was given."""

import numpy as np
import pandas as pd
import pytest
from made_rows import made_rows
from matplotlib import pyplot as plt

from ser_core import corpora, features, models
from ser_core._utils.errors import SerError
from ser_core.figures import diagrams, plots, style
from ser_core.results import pooling

RATE = 16_000


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(0)
    return (0.3 * random.standard_normal(2 * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def utterances():
    table = corpora.manifest("ravdess")
    table.attrs = {}
    return table


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    return pooling.pool_results(made_rows(folder, folds=2), folder)


def words(figure):
    """Everything that is written in a figure."""
    texts = [text.get_text() for text in figure.findobj(plt.Text)]
    return "\n".join(text for text in texts if text)


def check(figure, *, title, axes=True):
    """A closed figure with this title whose axes are labelled, which can be drawn."""
    assert figure.number not in plt.get_fignums() if hasattr(figure, "number") else True
    assert title in words(figure)
    figure.canvas.draw()
    for ax in figure.axes if axes else ():
        if ax.axison and ax.get_label() != "<colorbar>":
            assert ax.get_ylabel() or ax.get_yticklabels(), ax
            assert ax.get_xlabel() or not ax.get_subplotspec().is_last_row() or ax.get_shared_x_axes(), ax


def test_count_plot_shows_the_counts(utterances):
    figure = plots.count_plot(utterances, "ravdess")
    check(figure, title="Utterances per emotion: RAVDESS")
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("emotion", "utterances (count)")
    assert [text.get_text() for text in ax.texts] == ["96"] + ["192"] * 7
    assert [label.get_text() for label in ax.get_xticklabels()] == list(corpora.labels("ravdess"))
    assert sum(bar.get_height() for bar in ax.patches) == 1440


def test_count_plot_of_a_composed_corpus_shows_its_sources():
    figure = plots.count_plot(corpora.manifest("ravtess"), "ravtess")
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["RAVDESS", "TESS"]
    assert figure.axes[0].texts[0].get_text() == "496"


def test_durations_count_what_is_cut(utterances):
    figure = plots.durations(utterances, "ravdess")
    check(figure, title="Length of the utterances: RAVDESS")
    assert "255 of 1,440 utterances are cut" in words(figure)
    assert figure.axes[0].get_xlabel() == "length (s)"


def test_demo_figures_say_demo(utterances):
    assert "demo" in words(plots.count_plot(utterances, "demo_ravdess")).lower()


def test_waveforms_and_augmentations(samples):
    figure = plots.waveform_pair(samples, samples * 0.5, RATE, title="two of them")
    check(figure, title="two of them")
    assert figure.axes[1].get_xlabel() == "time (s)"
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    signals = {"original": samples, "stretch": samples[: RATE // 2 * 3]}
    figure = plots.augmentation_grid(signals, RATE, title="two signals")
    check(figure, title="two signals")
    assert "stretch" in words(figure) and "kHz" in words(figure) and "power (dB)" in words(figure)


def test_feature_maps_mark_the_padding(samples):
    matrix = features.extract(samples)
    figure = plots.feature_maps(matrix, features.CHANNELS["42"], used=201, title="the input")
    check(figure, title="the input")
    assert "zero padding" in words(figure) and "mfcc0" in words(figure)
    assert figure.axes[0].images[0].get_array().shape == (42, 400)
    assert "zero padding" not in words(plots.feature_maps(matrix, features.CHANNELS["42"], used=400))


def test_training_curves_draw_every_run_and_their_mean(pooled):
    rows = pooled[0].results
    figure = plots.training_curves(rows, title="curves")
    check(figure, title="curves\n2 runs faint, their mean bold; dots: the kept epoch")
    accuracy, loss = figure.axes
    bold = [line for line in loss.lines if line.get_linewidth() > 2]
    assert len(bold) == 2  # training and validation
    both = [np.array(row.history["loss"]) for row in rows]
    mean = bold[0].get_ydata()
    assert len(mean) == max(map(len, both))
    assert mean[0] == pytest.approx((both[0][0] + both[1][0]) / 2)
    assert accuracy.get_ylabel() == "accuracy (%)" and accuracy.get_xlabel() == "epoch"


def test_confusion_matrix_shows_shares_and_counts():
    figure = plots.confusion_matrix([[3, 1], [0, 0]], ["sad", "angry"], title="of two")
    check(figure, title="of two")
    assert [text.get_text() for text in figure.axes[0].texts] == ["75", "3", "25", "1", "0", "0", "0", "0"]
    assert figure.axes[0].get_ylabel() == "true emotion"


def test_attention_has_the_uniform_weight_as_reference(samples):
    weights = np.full(50, 0.015)
    weights[10] = 1 - 49 * 0.015
    figure = plots.attention_over_waveform(samples, RATE, weights, title="where it looks")
    check(figure, title="where it looks")
    assert "equal weights: 2.0 %" in words(figure) and "padding" in words(figure)
    right = figure.axes[1]
    assert right.get_ylim()[1] > 100 * weights.max()
    assert any(np.allclose(line.get_ydata(), 2) for line in right.lines)
    longer = np.tile(samples, 3)  # 6 s, of which the network sees 4
    assert "padding" not in words(plots.attention_over_waveform(longer, RATE, weights))


def test_the_human_line_is_drawn_beside_ravdess_only(pooled, tmp_path):
    figure = plots.claim_versus_ours(pooled, title="claim and ours")
    check(figure, title="claim and ours")
    text = words(figure)
    assert "human listeners, 62.4 % (audio only, neutral = calm)" in text
    assert "neutral = calm" in "\n".join(label.get_text() for label in figure.axes[0].get_yticklabels())
    assert "91.74" in text and f"{100 * pooled[0].scores['accuracy']:.1f} [" in text
    for corpus in ("tess", "demo_ravdess"):
        other = pooling.pool_results(made_rows(tmp_path, corpus=corpus, folds=2), tmp_path)
        assert "human" not in words(plots.claim_versus_ours(other))
        assert "human" not in words(plots.claim_versus_ours([*pooled, *other]))


def test_of_many_rows_the_claim_chart_has_a_line_each_under_the_names_given(pooled):
    figure = plots.claim_versus_ours(pooled, names=["one", "other"][: len(pooled)], title="many")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["one", "other"][: len(pooled)] and "human" not in words(figure) and "91.74" in words(figure)


def test_the_claim_chart_refuses_a_mixture_of_protocols(pooled, tmp_path):
    other = pooling.pool_results(made_rows(tmp_path, folds=1, protocol="random"), tmp_path)
    with pytest.raises(SerError, match="cannot mix"):
        plots.claim_versus_ours([*pooled, *other])


def test_latency_bars_say_what_was_not_measured():
    frame = pd.DataFrame({"name": ["network", "GPU"], "p50": [2.0, np.nan], "p95": [3.5, np.nan]})
    figure = plots.latency_bars(frame, claims={"paper, CPU: 48 ms": 48}, title="how long")
    check(figure, title="how long")
    assert "not measured" in words(figure) and "2 / 3.5 ms" in words(figure) and "paper, CPU: 48 ms" in words(figure)


def test_workflow_has_every_step():
    figure = diagrams.workflow()
    check(figure, title="From recording to decision", axes=False)
    assert all(head in words(figure) for head, _, _ in diagrams.STEPS)


def test_architecture_draws_every_layer_with_shape_and_weights():
    model = models.build("cnn_bilstm_attention", (400, 42), 8)
    figure = diagrams.architecture(model, title="the network")
    check(figure, title="the network: 469,257 trainable parameters", axes=False)
    text = words(figure)
    assert all(layer.name in text for layer in model.layers)
    assert "400 × 64\n8,128 weights" in text and "50 × 128\n164,352 weights" in text
    assert sum(layer["parameters"] for layer in diagrams.layers(model)) == 469_257


def test_a_figure_with_few_marks_is_shown_as_svg_whose_text_is_text():
    from xml.etree import ElementTree

    def draw(marks, picture=False):
        fig, ax = style.subplots()
        ax.plot(range(marks))
        if picture:
            ax.imshow([[0, 1]])
        ax.set_title("a < b & c")
        return style.finish(fig)

    root = ElementTree.fromstring(draw(10)._repr_svg_())
    texts = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert "a < b & c" in texts and "width" not in root.attrib and root.attrib["viewBox"].startswith("0 0 ")
    assert root.attrib["role"] == "img" and style.figure_svg(draw(10)) == style.figure_svg(draw(10))
    assert not hasattr(draw(style.FEW_MARKS + 1), "_repr_svg_") and not hasattr(draw(2, picture=True), "_repr_svg_")
