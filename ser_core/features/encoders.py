"""Run frozen self-supervised speech encoders: wav2vec 2.0, HuBERT and WavLM, through ``transformers``.

This repository has no weights. They come from the folder ``<SER_WEIGHTS>/<name>``, else from the hub's cache on
this machine, else from the hub. Where none of these has them, a run ends with an error that begins with
:data:`NOT_MEASURED`. ``transformers`` and ``torch`` load when first used: ``pip install '.[ssl]'``.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ser_core._utils.errors import SerError, UnavailableError
from ser_core._utils.paths import weights_dir
from ser_core.audio import SAMPLE_RATE

NOT_MEASURED = "not measured here"
"""Beginning of the error message where a checkpoint, or a library that reads it, is unavailable."""
SHORTEST, LONGEST = 400, 30 * SAMPLE_RATE
"""Shortest and longest input, samples: one frame of the encoders; 30 s, as the cost grows with the square."""
FRAMES_A_STEP = 8
"""Frames of 20 ms that :func:`layer_steps` averages."""


@dataclass(frozen=True)
class Checkpoint:
    """Describe a published encoder, pretrained on speech without labels."""

    title: str
    hub: str  # owner/name on the Hugging Face hub
    family: str  # model_type of its configuration
    layers: int  # hidden states: the input of the first transformer layer and the output of each
    size: int  # values per frame of a hidden state
    normalise: bool  # scale waveforms to mean 0 and deviation 1, unless its folder has a setting
    licence: str
    source: str  # publication


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
"""Published encoders by name."""


def _libraries(name: str):
    """Import torch and transformers."""
    try:
        import torch
        import transformers
    except ImportError:
        raise UnavailableError(f"{NOT_MEASURED}: {name} needs torch and transformers; pip install '.[ssl]'") from None
    return torch, transformers


def find_weights(name: str) -> Path:
    """Find the folder with the configuration and the weights of a checkpoint.

    The order is ``<SER_WEIGHTS>/<name>``, the hub's cache on this machine, the hub itself. From the hub the
    checkpoint is downloaded, unless ``HF_HUB_OFFLINE=1`` forbids it.

    Parameters
    ----------
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    Path

    Raises
    ------
    SerError
        beginning with :data:`NOT_MEASURED` where the weights are unavailable
    """
    checkpoint, folder = CHECKPOINTS[name], weights_dir() / name
    if (folder / "config.json").is_file():
        return folder
    _libraries(name)
    hub_folder = _from_hub(checkpoint.hub)
    if hub_folder is None:
        raise UnavailableError(
            f"{NOT_MEASURED}: the weights of {name} ({checkpoint.hub}) are not available on this machine or from the "
            f"hub; put them, with config.json, into {folder}"
        )
    return hub_folder


@lru_cache
def _from_hub(hub: str) -> Path | None:
    """Return the folder of a checkpoint in the hub's cache, downloaded if possible; failures are not tried again."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()

    def fetch_first(fetch: Callable[[str], str], *names: str) -> Path:
        for name in names[:-1]:
            try:
                return Path(fetch(name))
            except EntryNotFoundError:
                continue
        return Path(fetch(names[-1]))

    for cached_only in (True, False):
        fetch = partial(hf_hub_download, hub, local_files_only=cached_only)
        try:
            if not cached_only:
                HfApi().model_info(hub, timeout=10)  # fails fast without a network; a download retries for 20 s
            config = fetch_first(fetch, "config.json")
            fetch_first(fetch, "model.safetensors", "pytorch_model.bin")
            fetch_first(fetch, "preprocessor_config.json", "config.json")
            return config.parent
        except Exception:  # no network, no such file, ...: the hub's client raises many kinds
            continue
    return None


def fingerprint(name: str) -> str:
    """Compute the SHA-256 over the files of a checkpoint, so that other weights give other cache names.

    Parameters
    ----------
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    str
        64 hexadecimal digits

    Raises
    ------
    SerError
        beginning with :data:`NOT_MEASURED` where the weights are unavailable
    """
    return folder_fingerprint(find_weights(name))


def folder_fingerprint(folder: Path) -> str:
    """Compute the SHA-256 over the configuration and the weights in a folder, hexadecimal."""
    files = [*folder.glob("*config.json"), *folder.glob("*.safetensors"), *folder.glob("*.bin")]
    facts = [(path, path.stat()) for path in sorted(files)]
    lines = [f"{path.name} {_digest(path, stat.st_size, stat.st_mtime_ns)}\n" for path, stat in facts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache
def _digest(path: Path, size: int, changed: int) -> str:
    """Compute the SHA-256 of a file, once for each size and time of change."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _load_encoder(folder: Path, name: str):
    """Load an encoder, and whether its waveforms are scaled; check that it is the named one and complete."""
    torch, transformers = _libraries(name)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    checkpoint = CHECKPOINTS[name]
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        family, layers, size = config.model_type, config.num_hidden_layers + 1, config.hidden_size
        if (family, layers, size) != (checkpoint.family, checkpoint.layers, checkpoint.size):
            raise SerError(f"{folder}: is not {name}: {family} with {layers} hidden states of {size}")
        model, report = transformers.AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, output_loading_info=True
        )
    except SerError:
        raise
    except Exception as error:
        raise SerError(f"{folder}: cannot be loaded as {name}: {' '.join(str(error).split())[:300]}") from error
    missing = set(report["missing_keys"]) - {"masked_spec_embed"}  # used in pretraining only
    if missing:
        raise SerError(f"{folder}: {len(missing)} of the weights of {name} are missing, such as {min(missing)}")
    try:
        normalise = json.loads((folder / "preprocessor_config.json").read_text())["do_normalize"]
    except (OSError, ValueError, KeyError):
        normalise = checkpoint.normalise
    return model.float().eval(), normalise


def hidden_states(samples: np.ndarray, name: str) -> np.ndarray:
    """Compute the hidden states of every layer of a frozen encoder.

    Parameters
    ----------
    samples : float [samples]
        at 16 kHz; padded with zeros to 25 ms, cut after 30 s
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    ndarray of float32 [layers, frames, size]
        the input of the first transformer layer, then the output of each; 20 ms per frame

    Raises
    ------
    SerError
        for weights that are unavailable, or are not those of ``name``
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


def _hidden_states_at(samples: np.ndarray, rate: int, name: str) -> np.ndarray:
    if rate != SAMPLE_RATE:
        raise SerError(f"rate {rate}: {name} takes {SAMPLE_RATE} Hz only")
    return hidden_states(samples, name)


def layer_means(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Compute the mean over time of each encoder layer.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz; must be 16,000
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    ndarray of float32 [layers, size]

    Raises
    ------
    SerError
        for another rate, and as :func:`hidden_states`
    """
    return _hidden_states_at(samples, rate, name).mean(axis=1)


def layer_steps(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Compute the mean of each encoder layer over steps of 160 ms (eight frames).

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz; must be 16,000
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    ndarray of float16 [steps, layers, size]

    Raises
    ------
    SerError
        for another rate, and as :func:`hidden_states`
    """
    states = _hidden_states_at(samples, rate, name)
    starts = np.arange(0, states.shape[1], FRAMES_A_STEP)
    counts = np.diff(starts, append=states.shape[1])
    means = np.add.reduceat(states, starts, axis=1) / counts[:, None]
    return np.clip(means, -65_000, 65_000).astype(np.float16).transpose(1, 0, 2)
