"""Write one HTML page that holds a network with its features and onnxruntime-web, and answers without a server.

The page opens from a disk or a mail attachment. Its policy (Content-Security-Policy) forbids every connection, and
allows no script but its own, by their digests. The network is an exported ONNX file as it is; what else the page knows
of it comes from the file's metadata. Scripts and style are in the folder ``page``.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import audio
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core.inference import domain, known, predict, web_runtime
from ser_core.inference.limits import limit_texts
from ser_core.inference.networks import OnnxNetwork

PAGE = Path(__file__).with_name("page")
SCRIPTS = ("sound.js", "domain.js", "predict.js", "page.js")
"""Parts of the page's script, in order, after the runtime."""
LARGEST = 20_000_000
"""Maximum size of a page in bytes."""
_EXPORTS = re.compile(r"export\s*\{([\w$ ,]+)\};?\s*$")
"""The last statement of the runtime's module."""


def write_page(
    model: str | Path | None = None,
    output: Path | None = None,
    *,
    runtime: Path | None = None,
    registry: str | None = None,
) -> dict:
    """Write the page of a network.

    Parameters
    ----------
    model : str or Path, optional
        An exported ``.onnx`` file, a ``.keras`` file or the hash of a result; None is the pretrained network.
    output : Path, optional
        The file to write, or a folder for it; by default ``voice.html``.
    runtime : Path, optional
        A package of onnxruntime-web or its folder; see :func:`ser_core.inference.web_runtime.get_runtime`.
    registry : str, optional
        Address of the npm registry.

    Returns
    -------
    dict
        ``file``, ``format``, ``bytes``, ``network`` (its name), ``runtime`` (its name and version).

    Raises
    ------
    SerError
        Where the network, the runtime or the name of the file cannot be used, or the page would be too large.
    """
    path = Path(output or "voice.html")
    path = path / "voice.html" if path.is_dir() else path
    if path.suffix.lower() not in (".html", ".htm"):
        raise SerError(f"{path}: the name must end with .html, or be a folder that exists")
    content, facts = read_network(model)
    page = page_html(content, facts, web_runtime.get_runtime(runtime, registry)).encode()
    if len(page) > LARGEST:
        raise SerError(f"{path}: {len(page) / 1e6:.1f} MB; at most {LARGEST / 1e6:.0f} MB can be written")
    write_atomically(path, page)
    made = f"{web_runtime.PACKAGE} {web_runtime.VERSION}"
    return {"file": str(path), "format": "html", "bytes": len(page), "network": facts["name"], "runtime": made}


def read_network(model: str | Path | None) -> tuple[bytes, dict[str, Any]]:
    """Read an exported network, or export a trained one.

    Parameters
    ----------
    model : str, Path or None
        As in :func:`write_page`.

    Returns
    -------
    content : bytes
        The ONNX file.
    facts : dict
        Its metadata, with ``limits``: what it cannot do, in words.

    Raises
    ------
    SerError
        Where it is missing or cannot be used.
    """
    path, weights = Path(model) if model is not None else predict.PRETRAINED, None
    if path.suffix == ".onnx" and not path.is_file():
        raise SerError(f"{path}: no such model; `ser export` writes one")
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix != ".onnx":
            from ser_core.inference import export, saved_models

            export.check_package("onnx")
            network = saved_models.load_model(path)
            path, weights = Path(folder) / "network.onnx", network.path
            export.to_onnx(network, path)
        facts = OnnxNetwork(path, check=model is not None, whole=True).facts
        content = path.read_bytes()
    about = None if model is None else weights or path
    return content, facts | {"limits": limit_texts(facts["name"], facts["licence"], bool(facts["demo"]), about)}


def page_html(network: bytes, facts: dict[str, Any], runtime: web_runtime.Runtime) -> str:
    """Return the page of a network.

    Parameters
    ----------
    network : bytes
        An exported ONNX file.
    facts : dict
        See :func:`read_network`.
    runtime : Runtime
        onnxruntime-web.
    """
    style = (PAGE / "voice.css").read_text(encoding="utf-8")
    own = "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f"{runtime_script(runtime.script)}\n{own}"
    if "</script" in script.lower() or "<!--" in script or "</style" in style.lower():
        raise SerError(f"{web_runtime.SCRIPT}: holds an end of a script and cannot be written into a page")
    parts = {
        "POLICY": policy(script, style),
        "STYLE": style,
        "FACTS": json.dumps(page_facts(facts)).replace("<", "\\u003c"),
        "NETWORK": packed(network),
        "BINARY": packed(runtime.binary),
        "SCRIPT": script,
    }
    template = (PAGE / "voice.html").read_text(encoding="utf-8")
    return re.sub(r"@@([A-Z]+)@@", lambda found: parts[found[1]], template)


def page_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the page's script must know, JSON-able.

    Parameters
    ----------
    facts : dict
        See :func:`read_network`.

    Returns
    -------
    dict
        ``labels``, ``rate`` (Hz), ``window_seconds``, ``padded``, ``demo`` and ``limits`` of the network, ``about`` (a
        sentence), and the constants of :mod:`ser_core.inference.predict` and :mod:`ser_core.audio`.
    """
    own = {name: facts[name] for name in ("labels", "rate", "window_seconds", "demo", "limits")}
    return own | {
        "padded": facts.get("padded", True),
        "domain": domain_facts(facts.get("domain"), facts["rate"]),
        "unlike": domain.UNLIKE,
        "trained_on": known.durations(facts.get("whole_corpus")),
        "tolerance": known.TOLERANCE,
        "known": known.KNOWN,
        "about": f"{facts['name']}. Nothing that you record or choose leaves this page, and it needs no connection.",
        "hop": predict.WINDOW_HOP,
        "step": predict.STEP_SECONDS,
        "confident": predict.CONFIDENT,
        "silence": audio.SILENCE,
        "shortest": audio.SHORTEST,
        "longest": audio.LONGEST,
    }


def domain_facts(stored: Any, rate: int) -> dict[str, Any] | None:
    """Return what the page must know to say that a recording is unlike the training recordings, JSON-able.

    Parameters
    ----------
    stored : dict or None
        The statistics in the metadata of the network.
    rate : int, Hz
        Its sampling rate.

    Returns
    -------
    dict or None
        The statistics, with the mel filters (of each the first bin and its weights); None without statistics.
    """
    if domain.read_domain(stored) is None:
        return None
    filters = []
    for weights in domain.filters(rate).T.astype(float):
        used = np.flatnonzero(weights)
        first, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        filters.append((first, weights[first:end].tolist()))
    frame = domain.frame_length(rate)
    return stored | {"filters": filters, "frame": frame, "pause": domain.PAUSE_DB, "floor": domain.FLOOR}


def runtime_script(module: str) -> str:
    """Turn the runtime's module into the beginning of another one, which finds it under the name ``ort``.

    Parameters
    ----------
    module : str
        The module, which ends with its exports.

    Raises
    ------
    SerError
        For a module that ends otherwise.

    Examples
    --------
    >>> runtime_script("var a = 1;export{a as Tensor,b};")
    'var a = 1;const ort={Tensor:a,b:b};'
    """
    module = re.sub(r"\s*//# sourceMappingURL=\S+\s*$", "", module)
    found = _EXPORTS.search(module)
    if found is None:
        raise SerError(f"{web_runtime.SCRIPT}: ends without exports; it is not that of {web_runtime.VERSION}")
    pairs = [words.split(" as ") for words in found[1].split(",")]
    named = ",".join(f"{pair[-1].strip()}:{pair[0].strip()}" for pair in pairs if pair[-1].strip() != "default")
    return f"{module[: found.start()]}const ort={{{named}}};"


def policy(script: str, style: str) -> str:
    """Return the Content-Security-Policy of a page: its own script and style, and nothing from anywhere.

    Parameters
    ----------
    script, style : str
        Their texts.
    """
    digests = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; connect-src 'none'; script-src 'sha256-{digests[0]}' 'wasm-unsafe-eval'; "
        f"style-src 'sha256-{digests[1]}'; media-src blob:; base-uri 'none'; form-action 'none'"
    )


def packed(content: bytes) -> str:
    """Return content compressed (gzip) and in base64.

    Examples
    --------
    >>> gzip.decompress(base64.b64decode(packed(b"abc")))
    b'abc'
    """
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
