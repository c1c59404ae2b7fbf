"""Self-supervised encoders of speech, frozen: wav2vec 2.0, HuBERT and WavLM through ``transformers``.

No weights are in this repository. They come from a folder of the user's, ``<SER_DATA>/weights/<name>``, else from the
hub's cache on this machine, else from the hub; where none of these has them the system is not measured, and says so.
``transformers`` and ``torch`` load when first used: ``pip install '.[ssl]'``.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ser_core._utils.errors import SerError, UnavailableError
from ser_core._utils.paths import data_dir
from ser_core.audio import SAMPLE_RATE

NOT_MEASURED = "not measured here"
"""How the message begins where a checkpoint, or what reads it, is not to be had."""
SHORTEST, LONGEST = 400, 30 * SAMPLE_RATE
"""Samples: one frame of the encoders, and where an utterance is cut (attention grows with the square)."""
FRAMES_A_STEP = 8
"""Frames of 20 ms that :func:`steps` averages."""


@dataclass(frozen=True)
class Checkpoint:
    """A published encoder, trained on speech without labels."""

    title: str
    hub: str  # where it is published: owner/name on the Hugging Face hub
    family: str  # model_type of its configuration
    layers: int  # hidden states: the input of the first transformer layer and the output of each
    size: int  # of a frame's vector
    normalise: bool  # waveforms to mean 0 and deviation 1, where its folder does not say
    licence: str
    source: str


_WAV2VEC2 = "[21], Baevski et al. 2020"
_HUBERT = "[22], Hsu et al. 2021"
_WAVLM = "Chen et al. 2022, doi 10.1109/JSTSP.2022.3188113"
_APACHE, _BY_SA = "Apache-2.0", "CC BY-SA 3.0"
CHECKPOINTS: dict[str, Checkpoint] = {
    "wav2vec2_base": Checkpoint(
        "wav2vec 2.0 base", "facebook/wav2vec2-base", "wav2vec2", 13, 768, True, _APACHE, _WAV2VEC2
    ),
    "hubert_base": Checkpoint("HuBERT base", "facebook/hubert-base-ls960", "hubert", 13, 768, True, _APACHE, _HUBERT),
    "wavlm_base": Checkpoint("WavLM base", "microsoft/wavlm-base", "wavlm", 13, 768, False, _BY_SA, _WAVLM),
    "wav2vec2_large": Checkpoint(
        "wav2vec 2.0 large", "facebook/wav2vec2-large-lv60", "wav2vec2", 25, 1024, True, _APACHE, _WAV2VEC2
    ),
    "hubert_large": Checkpoint(
        "HuBERT large", "facebook/hubert-large-ll60k", "hubert", 25, 1024, True, _APACHE, _HUBERT
    ),
    "wavlm_large": Checkpoint("WavLM large", "microsoft/wavlm-large", "wavlm", 25, 1024, True, _BY_SA, _WAVLM),
}  # fmt: skip
"""Every encoder by name."""


def _libraries(name: str):
    """(torch, transformers), or one line on how to install them."""
    try:
        import torch
        import transformers
    except ImportError:
        raise UnavailableError(f"{NOT_MEASURED}: {name} needs torch and transformers; pip install '.[ssl]'") from None
    return torch, transformers


def find_weights(name: str) -> Path:
    """Folder with the configuration and the weights of a checkpoint.

    Looked for in ``<SER_DATA>/weights/<name>``, then in the hub's cache on this machine, then on the hub itself, from
    which it is downloaded (``HF_HUB_OFFLINE=1`` forbids that).

    Raises
    ------
    SerError
        beginning with :data:`NOT_MEASURED` where it is in none of them
    """
    checkpoint, folder = CHECKPOINTS[name], data_dir() / "weights" / name
    if (folder / "config.json").is_file():
        return folder
    _libraries(name)
    found = _from_hub(checkpoint.hub)
    if found is None:
        raise UnavailableError(
            f"{NOT_MEASURED}: the weights of {name} ({checkpoint.hub}) are not to be had, neither on this machine nor "
            f"from the hub; put them, with config.json, into {folder}"
        )
    return found


@lru_cache
def _from_hub(hub: str) -> Path | None:
    """Folder of a checkpoint in the hub's cache, downloaded where it can be. What failed is not tried twice."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()

    def first(fetch, *names: str) -> Path:
        for name in names[:-1]:
            try:
                return Path(fetch(name))
            except EntryNotFoundError:
                continue
        return Path(fetch(names[-1]))

    for here in (True, False):
        fetch = partial(hf_hub_download, hub, local_files_only=here)
        try:
            if not here:
                HfApi().model_info(hub, timeout=10)  # one question; where there is no network a download asks for 20 s
            config = first(fetch, "config.json")
            first(fetch, "model.safetensors", "pytorch_model.bin")
            first(fetch, "preprocessor_config.json", "config.json")
            return config.parent
        except Exception:  # no network, no such file, ...: whatever the hub's client makes of it
            continue
    return None


def fingerprint(name: str) -> str:
    """SHA-256 over the files of a checkpoint, hexadecimal: other weights under the same name are another thing."""
    folder = find_weights(name)
    files = [*folder.glob("*config.json"), *folder.glob("*.safetensors"), *folder.glob("*.bin")]
    facts = [(path, path.stat()) for path in sorted(files)]
    lines = [f"{path.name} {_digest(path, stat.st_size, stat.st_mtime_ns)}\n" for path, stat in facts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache
def _digest(path: Path, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _load_encoder(folder: Path, name: str):
    """(the encoder, whether waveforms are scaled), checked to be what the name says and to be there whole."""
    torch, transformers = _libraries(name)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    checkpoint = CHECKPOINTS[name]
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        found = config.model_type, config.num_hidden_layers + 1, config.hidden_size
        if found != (checkpoint.family, checkpoint.layers, checkpoint.size):
            raise SerError(f"{folder}: is no {name}: {found[0]} with {found[1]} hidden states of {found[2]}")
        model, report = transformers.AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, output_loading_info=True
        )
    except SerError:
        raise
    except Exception as error:
        raise SerError(f"{folder}: cannot be loaded as {name}: {' '.join(str(error).split())[:300]}") from error
    lacking = set(report["missing_keys"]) - {"masked_spec_embed"}  # used in its training only
    if lacking:
        raise SerError(f"{folder}: {len(lacking)} of the weights of {name} are missing, {min(lacking)} for one")
    try:
        normalise = json.loads((folder / "preprocessor_config.json").read_text())["do_normalize"]
    except (OSError, ValueError, KeyError):
        normalise = checkpoint.normalise
    return model.float().eval(), normalise


def hidden_states(samples: np.ndarray, name: str) -> np.ndarray:
    """What every layer of a frozen encoder makes of an utterance.

    Parameters
    ----------
    samples : float [samples] at 16 kHz; zeros are added below 25 ms, what follows 30 s is left out
    name : one of :data:`CHECKPOINTS`

    Returns
    -------
    float32 [layers, frames, size]: the input of the first transformer layer, then the output of each; 20 ms a frame

    Raises
    ------
    SerError
        for weights that are not to be had, or are not those of ``name``
    """
    torch, _ = _libraries(name)
    model, normalise = _load_encoder(find_weights(name), name)
    x = np.asarray(samples[:LONGEST], dtype=np.float32)
    if normalise:
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-7)
    x = np.pad(x, (0, max(0, SHORTEST - len(x))))
    with torch.inference_mode():
        states = model(torch.from_numpy(x)[None], output_hidden_states=True).hidden_states
    return torch.cat(states).numpy()


def _at_16_khz(samples: np.ndarray, rate: int, name: str) -> np.ndarray:
    if rate != SAMPLE_RATE:
        raise SerError(f"rate {rate}: {name} hears {SAMPLE_RATE} Hz only")
    return hidden_states(samples, name)


def layer_means(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Mean over time of each layer: float32 [layers, size]."""
    return _at_16_khz(samples, rate, name).mean(axis=1)


def layer_steps(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Every layer in steps of 160 ms, the means of eight frames each: float16 [steps, layers, size]."""
    states = _at_16_khz(samples, rate, name)
    starts = np.arange(0, states.shape[1], FRAMES_A_STEP)
    counts = np.diff(starts, append=states.shape[1])
    means = np.add.reduceat(states, starts, axis=1) / counts[:, None]
    return np.clip(means, -65_000, 65_000).astype(np.float16).transpose(1, 0, 2)
