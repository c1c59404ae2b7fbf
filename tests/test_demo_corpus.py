"""The embedded demo corpus: content of the archive, and the script that makes it."""

import hashlib
import io
import multiprocessing
import re
import shutil
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_core import corpora
from ser_core.corpora import demo

ARCHIVE = Path(corpora.__file__).with_name("demo.zip")
RAVDESS = re.compile(r"demo_ravdess/Actor_(\d\d)/03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)\.ogg")
TESS = re.compile(r"demo_tess/(OAF|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)\.ogg")


@pytest.fixture(scope="module")
def members():
    """Member name to bytes."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def decoded(members):
    """Clip name to (samples, rate)."""
    return {
        name: soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        for name, data in members.items()
        if name.endswith(".ogg")
    }


def test_archive_is_small():
    assert ARCHIVE.stat().st_size < 6_000_000


def test_every_name_parses_and_counts_are_right(members):
    ravdess = [name for name in members if RAVDESS.fullmatch(name)]
    tess = [name for name in members if TESS.fullmatch(name)]
    assert len(ravdess) == 24 * 8 * 2 and len(tess) == 2 * 18 * 7
    assert set(members) - set(ravdess) - set(tess) == {"PROVENANCE.md"}


def test_ravdess_part_is_balanced(members):
    cells, strong = Counter(), defaultdict(set)
    for match in filter(None, map(RAVDESS.fullmatch, members)):
        folder, emotion, intensity, statement, _, actor = match.groups()
        assert folder == actor
        cells[actor, emotion, statement] += 1
        strong[emotion, int(actor) % 2].add((intensity, statement))
    assert cells == Counter(
        (f"{actor:02d}", f"0{emotion}", statement)
        for actor in range(1, 25)
        for emotion in range(1, 9)
        for statement in ("01", "02")
    )
    for (emotion, _), seen in strong.items():
        assert {intensity for intensity, _ in seen} == ({"01"} if emotion == "01" else {"01", "02"})
        assert len(seen) == (2 if emotion == "01" else 4)  # neither tied to a statement nor to a sex


def test_tess_part_is_balanced(members):
    words = defaultdict(set)
    for match in filter(None, map(TESS.fullmatch, members)):
        speaker, word, emotion = match.groups()
        words[speaker, emotion].add(word)
    assert len(words) == 14 and len({frozenset(found) for found in words.values()}) == 1
    published = corpora.CORPORA["tess"]
    for word in next(iter(words.values())):
        assert published.parse(f"OAF_{word}_angry.wav") is not None


@pytest.mark.parametrize("name, count, speakers", [("demo_ravdess", 384, 24), ("demo_tess", 252, 2)])
def test_the_loader_finds_every_clip(name, count, speakers, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(tmp_path))
    table = corpora.load(name)
    assert len(table) == count and not table.attrs["missing"] and not table.attrs["extra"]
    assert table["speaker"].nunique() == speakers and set(table["emotion"]) == set(corpora.labels(name))


def test_clips_are_readable_mono_finite_and_not_clipped(decoded):
    for name, (samples, rate) in decoded.items():
        assert rate == 16000 and samples.shape[1] == 1, name
        assert np.isfinite(samples).all() and 0.03 < np.abs(samples).max() < 0.99, name


def test_lengths_are_those_of_acted_utterances(decoded):
    long = 0
    for name, (samples, rate) in decoded.items():
        seconds = len(samples) / rate
        low, high = (1.5, 5.5) if name.startswith("demo_ravdess") else (0.9, 3.2)
        assert low < seconds < high, f"{name}: {seconds:.2f} s"
        long += seconds > 4
    assert 0 < long < 40  # a few are cut at 400 frames


def test_no_two_clips_are_identical(members):
    assert len(set(members.values())) == len(members)


def test_provenance_names_tool_and_licence(members):
    text = members["PROVENANCE.md"].decode()
    assert "CC0 1.0" in text and "GPLv3" in text and "demo_synthesis" in text
    assert re.search(r"espeak-ng \d+\.\d+", text)


def test_emotions_are_recognisable_across_speakers_but_not_always(decoded):
    """Loudness contour and spectral balance alone, speakers held out: above chance, below certainty."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, truth, actors = [], [], []
    for name, (samples, _) in decoded.items():
        match = RAVDESS.fullmatch(name)
        if match is None:
            continue
        frames = np.lib.stride_tricks.sliding_window_view(samples[:, 0], 400)[::160] * np.hanning(400)
        power = np.abs(np.fft.rfft(frames, 512)) ** 2
        edges = np.array([0, 8, 16, 32, 64, 128, 257])
        bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
        change = np.diff(bands, axis=0)
        rows.append(np.concatenate([bands.mean(0), bands.std(0), np.abs(change).mean(0), [np.log(len(bands))]]))
        truth.append(match[2])
        actors.append(match[6])
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    guess = cross_val_predict(model, np.array(rows), truth, groups=actors, cv=GroupKFold(6))
    assert 0.25 < np.mean(guess == np.array(truth)) < 0.85


@pytest.fixture(scope="module")
def synthesis(members):
    """The generator, if the espeak-ng version that made the archive is installed."""
    pytest.importorskip("scipy")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: the demo corpus cannot be regenerated")
    from ser_core.corpora import demo_synthesis

    made_with = re.search(r"espeak-ng (\d\S*)", members["PROVENANCE.md"].decode())[1]
    if demo_synthesis.espeak_version() != made_with:
        pytest.skip(f"espeak-ng {demo_synthesis.espeak_version()} here, {made_with} made the demo corpus")
    return demo_synthesis


@pytest.mark.parametrize(
    "name", ["demo_ravdess/Actor_01/03-01-01-01-01-01-01.ogg", "demo_tess/YAF_boat_happy.ogg"], ids=["ravdess", "tess"]
)
def test_a_clip_can_be_regenerated(name, synthesis, decoded):
    clip = next(clip for clip in synthesis.clips() if clip.name == name)
    samples = synthesis.synthesise(clip)
    assert np.array_equal(samples, synthesis.synthesise(clip))
    shipped = decoded[name][0][:, 0]
    assert len(shipped) == len(samples)
    assert np.corrcoef(samples, shipped)[0, 1] > 0.85  # the codec is lossy


def test_encoding_is_deterministic(synthesis):
    samples = (0.1 * np.sin(np.arange(16000) / 10)).astype(np.float32)
    first = synthesis.encode(samples, 7)
    assert first == synthesis.encode(samples, 7)
    assert first[14:18] == (7).to_bytes(4, "little")
    back, rate = soundfile.read(io.BytesIO(first))
    assert rate == 16000 and len(back) == 16000


def test_the_script_names_the_missing_program(tmp_path):
    pytest.importorskip("scipy")
    import os
    import subprocess
    import sys

    out = tmp_path / "demo.zip"
    ran = subprocess.run(
        [sys.executable, "-m", "ser_core.corpora.demo_synthesis", "--out", str(out)],
        env={**os.environ, "PATH": str(tmp_path)},
        cwd=Path(corpora.__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1 and not out.exists()
    assert "espeak-ng is not installed" in ran.stderr and "Traceback" not in ran.stderr


# --- unpacking and loading


@pytest.fixture
def small_demo(tmp_path, monkeypatch):
    """A demo archive of three files, and an empty cache."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    archive = tmp_path / "small.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("demo_ravdess/Actor_01/03-01-01-01-01-01-01.ogg", b"one")
        out.writestr("demo_tess/OAF_back_angry.ogg", b"two")
        out.writestr("PROVENANCE.md", "made by hand")
    return archive


def test_demo_unpacks_once(small_demo, tmp_path):
    place = demo.unpack(small_demo)
    digest = hashlib.sha256(small_demo.read_bytes()).hexdigest()
    assert place == tmp_path / "cache" / f"demo-{digest[:12]}"
    file = place / "demo_tess" / "OAF_back_angry.ogg"
    before = file.stat().st_mtime_ns
    assert demo.unpack(small_demo) == place and file.stat().st_mtime_ns == before
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_demo_restores_a_damaged_cache(small_demo):
    place = demo.unpack(small_demo)
    (place / "demo_tess" / "OAF_back_angry.ogg").write_bytes(b"t")
    shutil.rmtree(place / "demo_ravdess")
    demo.unpack(small_demo)
    assert (place / "demo_tess" / "OAF_back_angry.ogg").read_bytes() == b"two"
    assert (place / "demo_ravdess" / "Actor_01" / "03-01-01-01-01-01-01.ogg").read_bytes() == b"one"


def test_demo_unpacks_in_many_processes_at_once(small_demo):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        places = pool.map(demo.unpack, [small_demo] * 6)
    assert len(set(places)) == 1
    assert sorted(path.name for path in places[0].parent.iterdir()) == [places[0].name]
    assert (places[0] / "demo_tess" / "OAF_back_angry.ogg").read_bytes() == b"two"


def test_demo_listing(small_demo):
    listed = demo.listing(corpora.CORPORA["demo_tess"], small_demo)
    assert listed.to_dict("records") == [
        {"file": "OAF_back_angry.ogg", "sha256": hashlib.sha256(b"two").hexdigest(), "bytes": 3}
    ]


@pytest.mark.parametrize("name", [name for name, corpus in corpora.CORPORA.items() if corpus.demo])
def test_demo_corpora_are_complete(name):
    corpus, found = corpora.CORPORA[name], corpora.load(name)
    assert len(found) == corpus.expected and found["speaker"].nunique() == corpus.speakers
    assert set(found["emotion"]) == set(corpus.labels)
    assert found.attrs["missing"] == found.attrs["duplicates"] == found.attrs["extra"] == []
    assert all(value.startswith("demo_") for value in set(found["corpus"]))
    assert all(Path(path).stat().st_size > 0 for path in found["path"])
