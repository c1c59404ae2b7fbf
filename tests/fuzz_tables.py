"""Damage tables, rows, caches and models' metadata: ``python -m tests.fuzz_tables --kind csv --count 4000 --seed 0``.

The contract, for every input: an answer, or one line of SerError; damaged rows and entries of the cache are passed over
and the good ones beside them still answer; within 10 s of the processor; nothing on standard output or standard error.
Input number i depends on the seed and i alone: ``--first I --count 1`` repeats it.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import fuzz
import made_network
import made_rows
import soundfile

CELLS = (
    "", " ", '"', '""', "'", ",", ";", "\t", "\n", "\r", "\x00", "\u2028", "\x85", "\ufeff", "\ud7ff", "nan", "-1",
    "1e999", "~nosuchuser/a.wav", "../../../../etc/passwd", "/dev/zero", "a.wav", "a" * 300, "\u00e9", "e\u0301",
    "text", "truth", "speaker", "happy", "HAPPY", "0", "x" * 140_000, "=1+1", "%s", "{}", "<b>", "|", "NaT",
    "0 days 00:00:01", "\udce9",
)  # fmt: skip
"""What cells of lists hold that they should not."""
VALUES = (
    None, True, False, 0, -1, 1, 10**30, 1.5, float("nan"), float("inf"), "", "x", "x" * 2000, "\u2028", "../../x", [],
    [[]], [None], {}, {"": {}}, {"a": None}, ["neutral"] * 8, "neutral", "ser_fuzz_module_that_must_not_be:f", "\x00",
)  # fmt: skip
"""Values that a JSON file of another kind holds."""
TRAP = "ser_fuzz_module_that_must_not_be"


def damaged_text(text: str, random: np.random.Generator) -> bytes:
    """Return a CSV with one to three faults, most of them in one cell, as bytes of some encoding."""
    for _ in range(random.integers(1, 4)):
        at = int(random.integers(0, len(text) + 1))
        cell = CELLS[random.integers(len(CELLS))]
        fault = (3, 3, 3, 3, 0, 1, 2, 4)[random.integers(8)]
        if fault == 0:
            text = text[:at] + cell + text[at:]
        elif fault == 1:
            text = text[:at] + text[at + int(random.integers(1, 40)) :]
        elif fault == 2:
            text = text[:at]
        elif fault == 3:
            lines = text.split("\n")
            place = int(random.integers(len(lines)))
            cells = lines[place].split(",")
            cells[random.integers(len(cells))] = cell
            text = "\n".join([*lines[:place], ",".join(cells), *lines[place + int(random.integers(2)) :]])
        else:
            text = text.replace(",", ";\t,|"[random.integers(4)]).replace(
                "\n", ("\r\n", "\r", "\n")[random.integers(3)]
            )
    coding = ("utf-8-sig", "latin-1", "utf-16")[random.integers(3)] if random.random() < 0.2 else "utf-8"
    data = text.encode(coding, errors="replace")
    return flipped(data, random) if random.random() < 0.1 else data


def flipped(data: bytes, random: np.random.Generator) -> bytes:
    """Return bytes with some changed, cut off or added."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 8)):
        if changed:
            changed[random.integers(len(changed))] = int(random.integers(256))
    if random.random() < 0.3:
        del changed[random.integers(len(changed) + 1) :]
    return bytes(changed)


def damaged_json(value: Any, random: np.random.Generator) -> bytes:
    """Return the JSON of a value with one to three faults, or something that is no such JSON."""
    if random.random() < 0.15:
        return (b"", b"{}", b"[]", b"null", b"3", b'"text"', b"[" * 100_000, b"\xff\xfe", b"{" * 50)[random.integers(9)]
    value = json.loads(json.dumps(value))
    for _ in range(random.integers(1, 4)):
        place, keys = value, []
        while isinstance(place, dict | list) and len(place):
            keys.append((place, _key(place, random)))
            place = place[keys[-1][1]]
            if random.random() < 0.35:
                break
        if not keys:
            break
        parent, key = keys[-1]
        if random.random() < 0.3:
            del parent[key]
        else:
            parent[key] = json.loads(json.dumps(VALUES[random.integers(len(VALUES))]))
    data = json.dumps(value).encode()
    return flipped(data, random) if random.random() < 0.15 else data


def _key(place: dict | list, random: np.random.Generator) -> Any:
    return list(place)[random.integers(len(place))] if isinstance(place, dict) else int(random.integers(len(place)))


class Csv:
    """A list of recordings of three speakers, damaged."""

    def __init__(self, folder: Path):
        self.folder, random = folder, np.random.default_rng(0)
        lines = ["path,emotion,speaker,sex,text,intensity,take,start,end"]
        for speaker in "abc":
            for emotion in ("happy", "sad"):
                path = folder / f"{speaker}_{emotion}.wav"
                soundfile.write(path, random.normal(0, 0.1, 16_000), 16_000)
                facts = f"{path.name},{emotion},{speaker},female,{emotion} words,normal,01"
                lines += [f"{facts},0.{i},0.{i + 3}" for i in (1, 3, 5)]
        self.text = "\n".join(lines) + "\n"

    def __call__(self, random: np.random.Generator) -> str:
        from ser_core import corpora
        from ser_core.corpora import formats
        from ser_core.protocols import leakage, speakers, splits

        path = self.folder / "list.csv"
        path.write_bytes(damaged_text(self.text, random))
        table = corpora.load(f"csv:{path}")
        formats.describe(table)
        speakers.describe_alike(table)
        corpora.labels(f"csv:{path}")
        for protocol in ("random", "speaker", "speaker-text"):
            splits.split(table, protocol, 0)
        if random.random() < 0.05:
            leakage.audit_protocol(f"csv:{path}", "speaker", cues=False, progress=False)
        return "read"


class Rows:
    """A store of four results of which one row or its predictions are damaged."""

    def __init__(self, folder: Path):
        self.good = folder / "good"
        self.good.mkdir()
        rows = made_rows.made_rows(self.good, folds=2) + made_rows.made_rows(self.good, folds=2, model="a1")
        self.names = sorted(row.hash for row in rows)
        self.folder = folder / "runs"

    def __call__(self, random: np.random.Generator) -> str:
        from ser_core.experiments import publication, store
        from ser_core.experiments.spec import Spec
        from ser_core.results import published, records, tables
        from ser_core.results.pooling import pool_results

        os.environ["SER_RUNS"] = str(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.good, store.store_dir())
        name = self.names[random.integers(len(self.names))]
        victim = store.store_dir() / f"{name}{('.json', '.json', '.parquet')[random.integers(3)]}"
        if victim.suffix == ".json":
            victim.write_bytes(damaged_json(json.loads(victim.read_text()), random))
        else:
            self._damage(victim, random)
        results = store.load_rows(store.store_dir())
        pooled = pool_results(results, store.store_dir())
        if sum(len(one.folds) for one in pooled if one.ok) < 3:
            return "BROKEN: good rows were lost"
        published.all_systems_markdown(pooled, store.store_dir())
        json.dumps(tables.table_records(pooled))
        read = records.load_results("store")
        read.frame()
        read.predictions()
        store.find_results(store.store_dir(), self.names)
        publication.publish([Spec(corpus="ravdess", fold=fold) for fold in range(2)])
        return "passed over" if len(results) < 4 else "read"

    def _damage(self, path: Path, random: np.random.Generator) -> None:
        import pandas as pd

        fault = random.integers(4)
        if fault == 0:
            path.unlink()
        elif fault == 1:
            path.write_bytes(flipped(path.read_bytes(), random))
        else:
            frame = pd.read_parquet(path)
            column = frame.columns[random.integers(len(frame.columns))]
            if fault == 2:
                frame = frame.drop(columns=column) if random.random() < 0.7 else frame.head(0)
            else:
                value = VALUES[random.integers(len(VALUES))]
                frame[column] = value if isinstance(value, str | int | float | None) and value != 10**30 else 1
            frame.to_parquet(path)


class Caches:
    """The files of a cache, one of which is damaged: digests, measurements of copies, features, pooled results."""

    def __init__(self, folder: Path):
        from ser_core import corpora
        from ser_core.features import FeatureSettings, cache

        self.folder, self.settings = folder, FeatureSettings()
        source = Csv(folder)
        (folder / "list.csv").write_text(source.text)
        self.name = f"csv:{folder / 'list.csv'}"
        self.table = corpora.load(self.name)
        self.rows = folder / "rows"
        self.rows.mkdir()
        made_rows.made_rows(self.rows, folds=2)
        os.environ["SER_CACHE"] = str(folder / "cache")
        self.expected = self._ask()
        self.good = folder / "good"
        shutil.copytree(folder / "cache", self.good)
        self.files = sorted(path.relative_to(self.good) for path in self.good.rglob("*") if path.is_file())
        self.files = [path for path in self.files if path.suffix in (".json", ".npy")]
        self.features = cache

    def _ask(self) -> list:
        from ser_core.experiments import store
        from ser_core.features import cache, usable
        from ser_core.protocols import leakage
        from ser_core.results.pooling import pool_results

        version = cache.data_version(usable.drop_unusable(self.table, self.name))
        matrix = cache.feature_matrix(self.table, self.settings, progress=False, workers=1)
        leaks = leakage.audit_protocol(self.name, "random", cues=False, progress=False)
        pooled = pool_results(store.load_rows(self.rows), self.rows)
        return [version, float(matrix.sum()), leaks, [one.scores for one in pooled]]

    def __call__(self, random: np.random.Generator) -> str:
        os.environ["SER_CACHE"] = str(self.folder / "cache")
        place = self.files[random.integers(len(self.files))]
        if random.random() < 0.7:  # the few files of other kinds
            place = [path for path in self.files if path.suffix == ".json"][random.integers(3) - 3]
        victim, good = self.folder / "cache" / place, (self.good / place).read_bytes()
        value = None
        with contextlib.suppress(ValueError):
            value = json.loads(good)
        data = flipped(good, random) if value is None or random.random() < 0.2 else damaged_json(value, random)
        victim.write_bytes(data)
        found = self._ask()
        shutil.copytree(self.good, self.folder / "cache", dirs_exist_ok=True)
        # a digest is believed as it stands: another version is another name, and never a wrong answer
        return "read" if found[1:] == self.expected[1:] else "BROKEN: another answer"


class Models:
    """Networks whose metadata are damaged: the JSON beside a ``.keras`` file, and that inside an ONNX file."""

    def __init__(self, folder: Path):
        import onnx

        from ser_core.inference import export, predict

        self.folder = folder
        self.keras = made_network.keep(folder)
        self.facts = json.loads(self.keras.with_suffix(".json").read_text())
        self.onnx = onnx.load(str(predict.PRETRAINED))
        self.meta = next(json.loads(item.value) for item in self.onnx.metadata_props if item.key == "ser")
        self.sound, _ = np.random.default_rng(0).normal(0, 0.1, 32_000), export
        self.path = folder / "sound.wav"
        soundfile.write(self.path, self.sound, 16_000)

    def __call__(self, random: np.random.Generator) -> str:
        import onnx

        from ser_core.inference.predict import Predictor

        if random.random() < 0.4:
            model = self.folder / "damaged.keras"
            if not model.is_file():
                shutil.copy(self.keras, model)
            model.with_suffix(".json").write_bytes(damaged_json(self.facts, random))
        else:
            model = self.folder / "damaged.onnx"
            damaged = onnx.ModelProto()
            damaged.CopyFrom(self.onnx)
            for item in damaged.metadata_props:
                if item.key == "ser":
                    item.value = damaged_json(self.meta, random).decode(errors="replace")
            model.write_bytes(damaged.SerializeToString())
        prediction = Predictor(model).predict(self.path)
        values = list(prediction.probabilities.values())
        sound = np.isfinite(values).all() and abs(sum(values) - 1) < 1e-5
        json.dumps(prediction.record(), allow_nan=False)
        return "prediction" if sound else f"BROKEN: probabilities {values}"


KINDS: dict[str, Callable[[Path], Callable[[np.random.Generator], str]]] = {
    "csv": Csv,
    "row": Rows,
    "cache": Caches,
    "model": Models,
}


def answer(ask: Callable[[np.random.Generator], str], random: np.random.Generator) -> str:
    """Answer one input; return what came of it, or what was broken, which begins with BROKEN."""
    from ser_core._utils.errors import SerError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ask(random)
    except SerError as error:
        fits = len(str(error).splitlines()) == 1 and len(str(error)) < 3000
        return "refused" if fits else f"BROKEN: message {str(error)[:300]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "BROKEN: " + " ".join(traceback.format_exception(error)[-4:])


def run(kind: str, count: int, seed: int, first: int = 0, seconds: float = 1e9) -> fuzz.Report:
    """Run the fuzzing of one kind, for some seconds at most, and return its report."""
    end = time.monotonic() + seconds
    report = fuzz.Report()
    kept = {name: os.environ.get(name) for name in ("SER_RUNS", "SER_CACHE")}
    sys.modules.pop(TRAP, None)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{TRAP}.py").write_text("raise SystemExit('a module of a row was imported')\n")
        sys.path.insert(0, folder)
        (Path(folder) / "work").mkdir()
        try:
            ask = KINDS[kind](Path(folder) / "work")
            with fuzz.captured():
                answer(ask, np.random.default_rng([seed, 2**40]))  # the first loads libraries
            for number in range(first, first + count):
                if time.monotonic() > end:
                    break
                started = time.process_time()  # other work on the machine does not count
                with fuzz.captured() as printed:
                    found = answer(ask, np.random.default_rng([seed, number]))
                used = time.process_time() - started
                report.slowest = max(report.slowest, used)
                if printed[0]:
                    found = f"BROKEN: printed {printed[0][:300]!r}"
                elif used > fuzz.LIMIT:
                    found = f"BROKEN: {used:.1f} s"
                report.outcomes[found.split(":")[0]] += 1
                if found.startswith("BROKEN"):
                    report.broken.append((number, found))
                if (number - first) % max(1, count // 10) == 0 or number == first + count - 1:
                    report.peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        finally:
            sys.path.remove(folder)
            for name, value in kept.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    return report


def main() -> int:
    """Run the fuzzing from a shell; exit code 1 where the contract was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this time, for each kind")
    chosen = parser.parse_args()
    broken = False
    for kind in KINDS if chosen.kind == "all" else [chosen.kind]:
        report = run(kind, chosen.count, chosen.seed, chosen.first, chosen.seconds)
        broken |= bool(report.broken)
        for number, what in report.broken:
            print(f"{kind} {number}: {what}")
        print(f"{kind}: {', '.join(f'{count} {outcome}' for outcome, count in sorted(report.outcomes.items()))}")
        print(f"  slowest {report.slowest:.2f} s; peak memory {', '.join(f'{peak:.0f}' for peak in report.peak)} MB")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
