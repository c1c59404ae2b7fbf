"""Damage recordings at random and read them: ``python -m tests.fuzz --count 10000 --seed 0``.

The contract, for every input: samples that are finite, or a prediction whose probabilities are finite and sum to 1, or
one line of SerError; within 10 s; nothing on standard output or standard error; the next good recording is answered
as the first was; and memory stays flat. Of ten inputs one is predicted, one is streamed, and eight are read. Input
number i depends on the seed and i alone: ``--seed S --first I --count 1`` repeats it, ``--keep FOLDER`` keeps what
breaks the contract.
"""

import argparse
import contextlib
import io
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import bad_files
import made_recordings

LIMIT, HANG = 10.0, 120.0
"""Longest time for one input, seconds: of the processor, and of the clock, which a loaded machine stretches."""
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Numbers that headers handle badly."""


@dataclass
class Report:
    """Hold what a run found."""

    outcomes: Counter = field(default_factory=Counter)
    broken: list[tuple[int, str]] = field(default_factory=list)  # (number of the input, what was broken)
    slowest: float = 0.0  # s
    peak: list[float] = field(default_factory=list)  # MB, after each tenth of the run


def seeds() -> list[bytes]:
    """Return the recordings that are damaged: ordinary, odd, and none at all."""
    made = [odd.data for odd in made_recordings.odd()]
    made += list(bad_files.accepted().values())
    made += [data for name, (data, _) in bad_files.contents().items() if name not in ("long.wav", "empty.wav")]
    for form, subtype in (
        ("VOC", "PCM_16"),
        ("NIST", "PCM_16"),
        ("SVX", "PCM_16"),
        ("PAF", "PCM_16"),
        ("IRCAM", "ULAW"),
    ):
        made.append(made_recordings.written(form, subtype, 8_000))
    with contextlib.suppress(ImportError, OSError, ValueError):
        made += containers()
    return [data[:200_000] for data in made]


def containers() -> list[bytes]:
    """Return the same sound in containers that PyAV writes."""
    import av

    made = []
    for form, codec in (
        ("mp4", "aac"),
        ("webm", "libopus"),
        ("matroska", "flac"),
        ("adts", "aac"),
        ("avi", "pcm_s16le"),
    ):
        file = io.BytesIO()
        with av.open(file, "w", format=form) as container:
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            samples = made_recordings.voice(48_000).T.astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="mono")
            frame.sample_rate = 48_000
            size = stream.codec_context.frame_size or 1_024
            resampler = av.AudioResampler(stream.codec_context.format, "mono", 48_000, size)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        made.append(file.getvalue())
    return made


def damaged(recordings: list[bytes], random: np.random.Generator) -> bytes:
    """Return one recording with one to four faults."""
    data = bytearray(recordings[random.integers(len(recordings))])
    for _ in range(random.integers(1, 5)):
        FAULTS[random.integers(len(FAULTS))](data, recordings, random)
    return bytes(data[:400_000])


def _place(data: bytearray, random: np.random.Generator) -> int:
    """Return a place in a recording, more often than not in its header."""
    return int(random.integers(0, max(1, min(len(data), 128 if random.random() < 0.7 else len(data)))))


def _number(data: bytearray, recordings, random) -> None:
    form = ("<H", "<I", ">H", ">I", "<Q", ">Q", "<B")[random.integers(7)]
    size = struct.calcsize(form)
    value = NUMBERS[random.integers(len(NUMBERS))] if random.random() < 0.7 else int(random.integers(0, 2**32))
    at = _place(data, random)
    if at + size <= len(data):
        struct.pack_into(form, data, at, value % 256**size)


def _flip(data: bytearray, recordings, random) -> None:
    for _ in range(random.integers(1, 20)):
        if data:
            data[_place(data, random)] = int(random.integers(256))


def _cut(data: bytearray, recordings, random) -> None:
    del data[_place(data, random) :]


def _remove(data: bytearray, recordings, random) -> None:
    at = _place(data, random)
    del data[at : at + int(random.integers(1, 5_000))]


def _insert(data: bytearray, recordings, random) -> None:
    at = _place(data, random)
    data[at:at] = random.bytes(int(random.integers(1, 200)))


def _splice(data: bytearray, recordings, random) -> None:
    other = recordings[random.integers(len(recordings))]
    at = _place(bytearray(other), random)
    data[_place(data, random) :] = other[at:]


def _append(data: bytearray, recordings, random) -> None:
    data += (
        recordings[random.integers(len(recordings))] if random.random() < 0.5 else bytes(int(random.integers(9_000)))
    )


def _repeat(data: bytearray, recordings, random) -> None:
    at = _place(data, random)
    data[at:at] = data[at : at + int(random.integers(1, 3_000))]


FAULTS = (_number, _number, _number, _flip, _cut, _remove, _insert, _splice, _append, _repeat)


@contextlib.contextmanager
def captured() -> Iterator[list[bytes]]:
    """Collect what the process prints, C libraries included."""
    printed: list[bytes] = []
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield printed
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in zip(kept, (1, 2)):
                os.dup2(number, descriptor)
                os.close(number)
            file.seek(0)
            printed.append(file.read())


def answer(predictor, data: bytes, kind: str) -> str:
    """Read, predict or stream one input; return what came of it, or what was broken, which begins with BROKEN."""
    from ser_core import audio
    from ser_core._utils.errors import SerError
    from ser_core.audio import streaming

    try:
        if kind == "stream":
            stream = predictor.stream(2.0)
            for samples, rate in streaming.read_pipe(io.BytesIO(data), 16_000, 1):
                for prediction in stream.feed(samples, rate):
                    if not np.isfinite(prediction.confidence):
                        return "BROKEN: not finite"
            return "streamed"
        if kind == "predict":
            probabilities = list(predictor.predict(data, name="fuzzed").probabilities.values())
            sound = np.isfinite(probabilities).all() and abs(sum(probabilities) - 1) < 1e-6
            return "prediction" if sound else f"BROKEN: probabilities {probabilities}"
        samples = audio.read(data, name="fuzzed")
        sound = samples.dtype == np.float32 and samples.ndim == 1 and np.isfinite(samples).all() and len(samples) > 0
        return "samples" if sound else f"BROKEN: samples {samples.dtype} {samples.shape}"
    except SerError as error:
        message = str(error)
        fits = (
            message.startswith(("fuzzed: ", "-: ", "stream: "))
            and len(message.splitlines()) == 1
            and message.isprintable()
        )
        return "refused" if fits else f"BROKEN: message {message!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "BROKEN: " + " ".join(traceback.format_exception(error)[-3:])


def run(count: int, seed: int, first: int = 0, keep: Path | None = None) -> Report:
    """Run the fuzzing and return its report."""
    from ser_core.inference.predict import Predictor

    predictor, recordings, report = Predictor(), seeds(), Report()
    good = made_recordings.written()
    expected = predictor.predict(good).record()
    for number in range(first, first + count):
        data = damaged(recordings, np.random.default_rng([seed, number]))
        started, clock = time.process_time(), time.monotonic()
        with captured() as printed:
            found = answer(predictor, data, {0: "predict", 5: "stream"}.get(number % 10, "read"))
        seconds, waited = time.process_time() - started, time.monotonic() - clock
        report.slowest = max(report.slowest, seconds)
        if printed[0]:
            found = f"BROKEN: printed {printed[0][:300]!r}"
        elif seconds > LIMIT or waited > HANG:
            found = f"BROKEN: {seconds:.1f} s of the processor, {waited:.1f} s of the clock"
        elif number % 50 == 0 and predictor.predict(good).record() != expected:
            found = "BROKEN: the next good recording is answered otherwise"
        report.outcomes[found.split(":")[0]] += 1
        if found.startswith("BROKEN"):
            report.broken.append((number, found))
            if keep is not None:
                (keep / f"{seed}-{number}.bin").write_bytes(data)
        if (number - first) % max(1, count // 10) == 0 or number == first + count - 1:
            report.peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return report


def main() -> int:
    """Run the fuzzing from a shell; exit code 1 where the contract was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    report = run(chosen.count, chosen.seed, chosen.first, chosen.keep)
    for number, what in report.broken:
        print(f"input {number}: {what}")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(report.outcomes.items())))
    peak = ", ".join(f"{peak:.0f}" for peak in report.peak)
    print(f"slowest {report.slowest:.2f} s of the processor; peak memory {peak} MB")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
