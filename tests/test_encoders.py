"""Encoders, with tiny ones of random weights: found, loaded, refused, and evaluated end to end.

Skipped without ``transformers``, as in ``make test``.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

REASON = "needs pip install '.[ssl]'; .ci/run tests it in a separate environment"
transformers = pytest.importorskip("transformers", reason=REASON)
torch = pytest.importorskip("torch", reason=REASON)

from ser_core import corpora, features  # noqa: E402
from ser_core._utils.errors import SerError  # noqa: E402
from ser_core.experiments import worker  # noqa: E402
from ser_core.experiments.result import RunResult  # noqa: E402
from ser_core.experiments.run import run_spec  # noqa: E402
from ser_core.experiments.spec import Spec  # noqa: E402
from ser_core.features import cache, encoders, inputs  # noqa: E402
from ser_core.models import probes  # noqa: E402

LAYERS, SIZE = 3, 16
TINY = {
    "hidden_size": SIZE, "num_hidden_layers": LAYERS - 1, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
FAMILIES = {
    "wav2vec2_base": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
    "hubert_base": (transformers.HubertConfig, transformers.HubertModel),
    "wavlm_base": (transformers.WavLMConfig, transformers.WavLMModel),
}
SAMPLES = np.random.default_rng(0).normal(0.01, 0.1, 20_000).astype(np.float32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder ``weights`` with a tiny encoder of each family; wav2vec 2.0 with its preprocessor configuration."""
    folder = tmp_path_factory.mktemp("data") / "weights"
    for name, (config, model) in FAMILIES.items():
        torch.manual_seed(0)
        model(config(**TINY)).save_pretrained(folder / name)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder / "wav2vec2_base")
    return folder


@pytest.fixture(autouse=True)
def tiny(weights, tmp_path, monkeypatch):
    """``SER_DATA`` with the tiny encoders in place of the real ones; one cache for all tests; no hub."""
    import huggingface_hub

    shutil.copytree(weights, tmp_path / "data" / "weights")
    monkeypatch.setenv("SER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SER_CACHE", str(weights.parent / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name, checkpoint in encoders.CHECKPOINTS.items():
        monkeypatch.setitem(encoders.CHECKPOINTS, name, replace(checkpoint, layers=LAYERS, size=SIZE))
    encoders._from_hub.cache_clear()
    return tmp_path / "data" / "weights"


def directly(folder, samples, normalise):
    """Compute hidden states by ``transformers`` alone."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise)
    values = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        return torch.cat(model(values, output_hidden_states=True).hidden_states).numpy()


@pytest.mark.parametrize(("name", "normalise"), [("wav2vec2_base", True), ("hubert_base", True), ("wavlm_base", False)])
def test_hidden_states_equal_transformers(name, normalise, tiny):
    states = encoders.hidden_states(SAMPLES, name)
    assert states.dtype == np.float32 and states.shape == (LAYERS, 62, SIZE)
    assert np.allclose(states, directly(tiny / name, SAMPLES, normalise), atol=1e-5)
    assert np.array_equal(states, encoders.hidden_states(SAMPLES, name))
    assert not np.allclose(states, directly(tiny / name, SAMPLES, not normalise), atol=1e-3)


def test_the_folder_sets_whether_waveforms_are_scaled(tiny):
    (tiny / "wavlm_base" / "preprocessor_config.json").write_text('{"do_normalize": true}')
    states = encoders.hidden_states(SAMPLES, "wavlm_base")
    assert np.allclose(states, directly(tiny / "wavlm_base", SAMPLES, True), atol=1e-5)


def test_means_and_steps_are_means_of_hidden_states():
    states = encoders.hidden_states(SAMPLES, "wavlm_base")
    assert np.allclose(inputs.RAW["wavlm_base"](SAMPLES, 16_000), states.mean(axis=1), atol=1e-6)
    steps = inputs.RAW["wavlm_base_steps"](SAMPLES, 16_000)
    assert steps.dtype == np.float16 and steps.shape == (8, LAYERS, SIZE)
    assert np.allclose(steps[2], states[:, 16:24].mean(axis=1), atol=2e-3)
    assert np.allclose(steps[7], states[:, 56:].mean(axis=1), atol=2e-3)
    settings = features.FeatureSettings(features="wavlm_base_steps", frames=25)
    padded = inputs.to_input(steps, settings)
    assert padded.shape == inputs.input_shape(settings) == (25, LAYERS, SIZE) and padded.dtype == np.float32
    assert np.array_equal(padded[:8], steps) and not padded[8:].any()
    assert inputs.to_input(steps, replace(settings, frames=5)).shape == (5, LAYERS, SIZE)


def test_the_mixtures_input_holds_means_and_functionals():
    values = inputs.RAW["wavlm_base_functionals"](SAMPLES, 16_000)
    settings = features.FeatureSettings(features="wavlm_base_functionals", frames=1)
    assert values.dtype == np.float32 and values.shape == inputs.input_shape(settings) == (LAYERS + 1, 294)
    assert np.array_equal(values[:-1, :SIZE], inputs.RAW["wavlm_base"](SAMPLES, 16_000))
    assert (
        np.array_equal(values[-1], inputs.functionals(features.raw_channels(SAMPLES))) and not values[:-1, SIZE:].any()
    )


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (399, 1), (400, 1), (720, 2), (31 * 16_000, 1499)])
def test_short_utterances_are_padded_and_long_ones_cut(samples, frames):
    states = encoders.hidden_states(np.resize(SAMPLES, samples), "wavlm_base")
    assert states.shape == (LAYERS, frames, SIZE) and np.isfinite(states).all()


def test_another_sampling_rate_is_refused():
    with pytest.raises(SerError, match="rate 8000: wavlm_base takes 16000 Hz only"):
        encoders.layer_means(SAMPLES, 8_000, name="wavlm_base")


# Where weights come from


def test_missing_weights_are_reported_in_one_line(tiny):
    shutil.rmtree(tiny / "hubert_base")
    with pytest.raises(SerError) as caught:
        encoders.find_weights("hubert_base")
    message = str(caught.value)
    assert message.startswith("not measured here: the weights of hubert_base (facebook/hubert-base-ls960) are not")
    assert str(tiny / "hubert_base") in message and "\n" not in message


def test_the_hubs_cache_is_used_without_a_network(tiny, tmp_path):
    before = encoders.hidden_states(SAMPLES, "hubert_base")
    cached = tmp_path / "hub" / "models--facebook--hubert-base-ls960"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0123abc")
    (cached / "snapshots").mkdir()
    shutil.move(tiny / "hubert_base", cached / "snapshots" / "0123abc")
    assert encoders.find_weights("hubert_base") == cached / "snapshots" / "0123abc"
    assert np.array_equal(before, encoders.hidden_states(SAMPLES, "hubert_base"))


def test_missing_weights_are_downloaded_once(tiny, tmp_path, monkeypatch):
    """The hub has a pickle and no preprocessor configuration; without a connection no file is requested."""
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    published, requests = tmp_path / "published", []
    shutil.move(tiny / "wavlm_base", published)
    (published / "model.safetensors").rename(published / "pytorch_model.bin")

    def download(hub, name, *, local_files_only):
        if local_files_only or not (published / name).is_file():
            raise EntryNotFoundError(name)
        requests.append(f"{hub}/{name}")
        return str(published / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(SerError, match="not measured here"):
        encoders.find_weights("wavlm_base")
    assert not requests
    encoders._from_hub.cache_clear()
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **k: None)
    assert encoders.find_weights("wavlm_base") == encoders.find_weights("wavlm_base") == published
    assert {name.rsplit("/")[-1] for name in requests} == {"config.json", "pytorch_model.bin"}
    assert len(requests) == 3 and all(name.startswith("microsoft/wavlm-base/") for name in requests)


def test_checkpoints_in_their_published_form_are_loaded(tiny):
    """A pickle instead of safetensors, names with a prefix, weight normalisation by its old names, unused heads."""
    folder = tiny / "wav2vec2_base"
    before = encoders.hidden_states(SAMPLES, "wav2vec2_base")
    state = transformers.AutoModel.from_pretrained(folder).state_dict()
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    published = {"project_q.weight": torch.zeros(2, 2)}
    for name, value in state.items():
        for new, old in names.items():
            name = name.replace(new, old)
        published[f"wav2vec2.{name}"] = value
    (folder / "model.safetensors").unlink()
    torch.save(published, folder / "pytorch_model.bin")
    encoders._load_encoder.cache_clear()
    assert np.array_equal(before, encoders.hidden_states(SAMPLES, "wav2vec2_base"))


def test_incomplete_weights_are_refused(tiny):
    """``transformers`` would initialise the missing ones at random."""
    state = transformers.AutoModel.from_pretrained(tiny / "wavlm_base").state_dict()
    del state["encoder.layers.1.attention.k_proj.weight"]
    (tiny / "wavlm_base" / "model.safetensors").unlink()
    torch.save(state, tiny / "wavlm_base" / "pytorch_model.bin")
    with pytest.raises(
        SerError, match=r"1 of the weights of wavlm_base are missing, such as encoder\.layers\.1\.attention"
    ):
        encoders.hidden_states(SAMPLES, "wavlm_base")


def test_weights_of_another_encoder_are_refused(tiny):
    shutil.copytree(tiny / "hubert_base", tiny / "wavlm_base", dirs_exist_ok=True)
    with pytest.raises(SerError, match="is not wavlm_base: hubert with 3 hidden states of 16"):
        encoders.hidden_states(SAMPLES, "wavlm_base")


@pytest.mark.parametrize("damaged", ["model.safetensors", "config.json"])
def test_damaged_files_are_reported_in_one_line(damaged, tiny):
    (tiny / "wavlm_base" / damaged).write_bytes(b"{")
    with pytest.raises(SerError, match="cannot be loaded as wavlm_base: ") as caught:
        encoders.hidden_states(SAMPLES, "wavlm_base")
    assert "\n" not in str(caught.value)


def test_other_weights_give_other_features(tiny, tmp_path, own_cache):
    table = corpora.load("demo").iloc[:2]
    settings = features.FeatureSettings(features="wavlm_base", frames=1)
    first, name = cache.feature_matrix(table, settings, progress=False), encoders.fingerprint("wavlm_base")
    assert np.array_equal(first, cache.feature_matrix(table, settings, progress=False))
    torch.manual_seed(1)
    transformers.WavLMModel(transformers.WavLMConfig(**TINY)).save_pretrained(tiny / "wavlm_base")
    encoders._load_encoder.cache_clear()
    assert encoders.fingerprint("wavlm_base") != name
    assert not np.allclose(first, cache.feature_matrix(table, settings, progress=False))


# End to end on the demo corpus


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
@pytest.mark.parametrize(
    "model",
    ["wav2vec2_base", "hubert_base", "wavlm_base", "wavlm_base_attention", "moe_wavlm_spectral"],
)
def test_a_run_on_the_demo_corpus(model, own_store, monkeypatch):
    monkeypatch.setattr(probes, "EPOCHS", 2)
    row = run_spec(Spec(corpus="demo", model=model, epochs=2), progress=False)
    assert RunResult.from_json(json.loads(json.dumps(row.to_json()))) == row
    assert row.ok and row.n_augmented == 0 and np.sum(row.confusion) == row.n_test
    assert 0.0 <= row.scores["uar"] <= 1.0 and row.parameters > 0
    if "moe" in model:
        assert row.standing == "reconstruction" and row.epochs == 2
    else:
        assert row.standing == "standard" and row.chosen["layer"] in range(LAYERS)


def test_a_run_without_weights_is_recorded_as_not_measured(tiny, own_store):
    shutil.rmtree(tiny / "hubert_base")
    row = worker.run_or_record_failure(Spec(corpus="demo", model="hubert_base"))
    assert row.status == "error" and row.unavailable and row.scores == {}
    assert row.error.startswith(encoders.NOT_MEASURED + ": ")
