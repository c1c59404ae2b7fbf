"""Get onnxruntime-web, which runs networks in a browser: one version, two files of its npm package, verified.

The files come from a package that the user has (``npm pack`` writes one, ``npm install`` unpacks one) or from the npm
registry that npm was told to use (``npm_config_registry``). They are kept in the cache, and verified whenever they are
read.
"""

from __future__ import annotations

import base64
import os
import shutil
import tarfile
from dataclasses import dataclass
from hashlib import sha512
from pathlib import Path

from ser_core._utils import paths
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Digest of the whole package, as the npm registry publishes it."""
SCRIPT, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
FILES = {
    SCRIPT: "sha512-1KcF8CWAZeqtTcvLgKPtOMXIbkWeh++LDCQpDhQ5ARVxHAL1VNL5rr0OI+MxTbmNIANldE/A/q+O4gSKgSMjWQ==",
    BINARY: "sha512-Gt7e1iIDIZ/PXEhM/OVleqWHVom0kEI/hs8cod0crXcV9jDGM39B23HuQnlOOgDOC3x4k5pxIgtdgzaL9up3MA==",
}
"""Name in the folder ``dist`` of the package, to digest."""
REGISTRY = "npm_config_registry"
"""Variable with the address of the npm registry, as npm itself reads it."""


@dataclass(frozen=True)
class Runtime:
    """Hold the two files of onnxruntime-web."""

    script: str  # an ECMAScript module
    binary: bytes  # WebAssembly


def kept_folder() -> Path:
    """Return the folder of the cache in which the runtime is kept."""
    return paths.cache_dir() / "runtime" / f"{PACKAGE}-{VERSION}"


def kept_runtime() -> Runtime | None:
    """Return the runtime that is in the cache, or None."""
    try:
        return _from_folder(kept_folder())
    except SerError:
        return None


def get_runtime(source: Path | None = None, registry: str | None = None) -> Runtime:
    """Return the runtime: from a package, from the cache, or downloaded once.

    Parameters
    ----------
    source : Path, optional
        A package written by ``npm pack``, or the folder of an unpacked one.
    registry : str, optional
        Address of the npm registry; by default the variable ``npm_config_registry``.

    Returns
    -------
    Runtime

    Raises
    ------
    SerError
        Where there is none, or a file is not the published one.
    """
    if source is not None:
        if not source.exists():
            raise SerError(f"{source}: no such file or folder; {_advice()}")
        runtime = _from_folder(source) if source.is_dir() else _from_package(source)
        return _keep(runtime)
    kept = kept_runtime()
    if kept is not None:
        return kept
    address = registry or os.environ.get(REGISTRY) or os.environ.get(REGISTRY.upper())
    if not address:
        raise SerError(f"the page needs {PACKAGE} {VERSION}, which is not in the cache; {_advice()}")
    return _keep(_downloaded(address))


def _advice() -> str:
    return (
        f"run `npm pack {PACKAGE}@{VERSION}` and add --runtime {PACKAGE}-{VERSION}.tgz "
        f"(or name the npm registry with --registry or {REGISTRY})"
    )


def _downloaded(registry: str) -> Runtime:
    """Download the package from an npm registry, and take its files."""
    from ser_core.corpora.download import download

    name = f"{PACKAGE}-{VERSION}.tgz"
    package = kept_folder().with_name(name)
    try:
        download(f"{registry.rstrip('/')}/{PACKAGE}/-/{name}", package)
        return _from_package(package)
    finally:
        package.unlink(missing_ok=True)


def _keep(runtime: Runtime) -> Runtime:
    """Write the files into the cache where they are missing."""
    if kept_runtime() is None:
        shutil.rmtree(kept_folder(), ignore_errors=True)
        write_atomically(kept_folder() / BINARY, runtime.binary)
        write_atomically(kept_folder() / SCRIPT, runtime.script.encode())
    return runtime


def _from_package(path: Path) -> Runtime:
    """Read the files in a package, whose digest must be the published one."""
    try:
        _check(path.read_bytes(), INTEGRITY, path)
        with tarfile.open(path, "r:gz") as package:
            contents = {name: _member(package, f"package/dist/{name}") for name in FILES}
    except (OSError, tarfile.TarError, KeyError, EOFError) as error:
        raise SerError(f"{path}: cannot be read as an npm package ({' '.join(str(error).split())[:200]})") from None
    return _verified(contents, path)


def _member(package: tarfile.TarFile, name: str) -> bytes:
    """Return the content of a file in a package."""
    file = package.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()


def _from_folder(folder: Path) -> Runtime:
    """Read the files in a folder: the unpacked package, its folder ``dist``, or one around the package."""
    for place in (folder, folder / "dist", folder / "package" / "dist", folder / PACKAGE / "dist"):
        if all((place / name).is_file() for name in FILES):
            return _verified({name: (place / name).read_bytes() for name in FILES}, place)
    raise SerError(f"{folder}: {SCRIPT} and {BINARY} of {PACKAGE} {VERSION} are not in it; {_advice()}")


def _verified(contents: dict[str, bytes], where: Path) -> Runtime:
    """Return the runtime, if its files are the published ones."""
    for name, content in contents.items():
        _check(content, FILES[name], where / name)
    return Runtime(contents[SCRIPT].decode(), contents[BINARY])


def _check(content: bytes, integrity: str, path: Path) -> None:
    """Refuse content with another digest."""
    if digest(content) != integrity:
        raise SerError(f"{path}: is not that of {PACKAGE} {VERSION} (another SHA-512); {_advice()}")


def digest(content: bytes) -> str:
    """Return the SHA-512 of content in the form of npm.

    Examples
    --------
    >>> digest(b"")[:20]
    'sha512-z4PhNX7vuL3xV'
    """
    return f"sha512-{base64.b64encode(sha512(content).digest()).decode()}"
