"""Corpora in the formats of other tools: the same utterances give the same table, whatever lists them."""

import importlib.util
import json
import re

import made_formats
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from made_trees import plant

from ser_core import cli, corpora
from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.corpora import formats
from ser_core.corpora.formats import iemocap, listing, msp_podcast
from ser_core.corpora.table import COLUMNS
from ser_core.experiments.run import data_version, run_spec
from ser_core.experiments.spec import Spec
from ser_core.features import cache
from ser_core.protocols import assignment, leakage, splits

HAVE_AUDFORMAT = importlib.util.find_spec("audformat") is not None
needs_audformat = pytest.mark.skipif(not HAVE_AUDFORMAT, reason="the package audformat is not installed")
KINDS = [pytest.param(kind, marks=needs_audformat if kind == "audformat" else ()) for kind in made_formats.WRITERS]
DIGEST = "3f69d3d65d12dbb1"


def made(kind: str, root) -> str:
    """The ten utterances in a format: the name of the corpus."""
    made_formats.write_audio(root)
    return made_formats.WRITERS[kind](root)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_utterances_are_the_same_table(kind, tmp_path):
    found = corpora.load(made(kind, tmp_path))
    expected = sorted(made_formats.utterances(), key=lambda row: row["id"])
    assert tuple(found.columns)[: len(COLUMNS)] == COLUMNS
    for column in ("id", "speaker", "sex", "emotion", "text"):
        assert list(found[column]) == [row[column] for row in expected], column
    assert list(found["end"].fillna(0)) == [row["end"] or 0 for row in expected]
    assert set(found["corpus"]) == {found.attrs["corpus"]}
    assert found.attrs["missing"] == found.attrs["extra"] == found.attrs["unlabelled"] == []
    assert found.attrs["expected"] == 10
    print(kind, formats.table_digest(found))
    assert formats.table_digest(found) == DIGEST


def test_ten_utterances_give_the_same_features(tmp_path, own_cache):
    """From every format that is installed: the same data version and the same features."""
    kinds = [kind for kind in made_formats.WRITERS if kind != "audformat" or HAVE_AUDFORMAT]
    versions, matrices = set(), []
    for kind in kinds:
        found = corpora.load(made(kind, tmp_path / kind))
        versions.add(cache.data_version(found))
        matrices.append(cache.feature_matrix(found, progress=False))
    assert len(versions) == 1
    assert all(np.array_equal(matrices[0], matrix) for matrix in matrices[1:])
    assert matrices[0].shape == (10, 400, 42) and len({matrix.tobytes() for matrix in matrices[0]}) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_that_does_not_exist_is_missing(kind, tmp_path):
    name = made(kind, tmp_path)
    (tmp_path / "wav" / "ben.wav").unlink()
    found = corpora.load(name)
    assert found.attrs["missing"] == ["wav/ben@0-1.25", "wav/ben@1.25-2.5"]
    assert len(found) == 8 and found.attrs["expected"] == 10
    for file in (tmp_path / "wav").iterdir():
        file.unlink()
    with pytest.raises(SerError, match="none of its recordings exists") as error:
        corpora.load(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_corpus_is_known_by_its_name_alone(kind, tmp_path):
    name = made(kind, tmp_path)
    corpus = corpora.get_corpus(name)
    assert corpus.labels == ("happy", "angry") and corpus.speakers == 5 and corpus.expected == 10
    assert corpora.canonical_name(name) == name
    sides = assignment.utterance_sides(name, "speaker")
    assert len(sides) == 10 and [column for column in sides if column.isdigit()] == list("01234")
    with pytest.raises(SerError, match="no published file list"):
        corpora.manifest(name)


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_a_path_that_does_not_exist_is_one_line(kind, tmp_path):
    if kind == "audformat" and not HAVE_AUDFORMAT:
        pytest.skip("the package audformat is not installed")
    with pytest.raises(SerError) as error:
        corpora.load(f"{kind}:{tmp_path / 'absent'}")
    assert "absent" in str(error.value) and "\n" not in str(error.value)


def test_the_shell_shows_what_was_read(tmp_path):
    name = made("emobox", tmp_path)
    shown = CliRunner().invoke(cli.main, ["data", "show", name]).stdout
    assert f"10 utterances of 5 speakers, hash {DIGEST}\n  emotions: happy 5, angry 5\n" in shown
    assert "segments:   8" in shown and "folds:      5" in shown and "missing" not in shown
    assert f"`ser data verify {name}` names the recordings that cannot be used" in shown
    facts = json.loads(CliRunner().invoke(cli.main, ["data", "show", "--json", name]).stdout)
    assert facts["hash"] == DIGEST and facts["emotions"] == {"happy": 5, "angry": 5} and facts["continuous"] == []
    table = CliRunner().invoke(cli.main, ["data", "show", "--csv", name]).stdout
    assert table.startswith("id,path,corpus,speaker,") and table.count("\n") == 11


def test_the_shell_names_what_was_left_out(tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.random.default_rng(0).normal(size=16_000) / 9, 16_000)
    lines = "file,emotion\na.wav,sad\nb.wav,\n" + "".join(f"gone{number}.wav,sad\n" for number in range(5))
    (tmp_path / "list.csv").write_text(lines)
    name = f"nkululeko:{tmp_path / 'list.csv'}"
    shown = CliRunner().invoke(cli.main, ["data", "show", name]).stdout
    assert "missing:    5  (gone0, gone1, gone2 and 2 more)\n" in shown and "unlabelled: 1  (b)\n" in shown
    assert f"`ser data verify {name}` names all of these, and the recordings that cannot be used" in shown
    verified = CliRunner().invoke(cli.main, ["data", "verify", name]).stdout
    assert "unlabelled        1  b\n" in verified and "gone0, gone1, gone2 and 2 more" in verified


def test_every_kind_is_named_where_none_fits():
    with pytest.raises(SerError, match="no corpus named 'csb:x'") as error:
        corpora.load("csb:x")
    for kind in formats.KINDS:
        assert f"{kind}:PATH" in str(error.value)


@pytest.mark.skipif(HAVE_AUDFORMAT, reason="the package audformat is installed")
def test_without_its_package_audformat_is_one_line(tmp_path):
    with pytest.raises(SerError, match=re.escape("pip install '.[formats]'")):
        corpora.load(f"audformat:{tmp_path}")


# --- what is wrong with a list is one line that names it

ERRORS = {
    "kaldi": [
        ("wav.scp", "anna sox in.wav -t wav - |\n", "anna is the output of a command"),
        ("wav.scp", "anna data/raw.ark:1234\n", "anna lies in an archive"),
        ("segments", "u1 nobody 0 1\n", "recording nobody is not in wav.scp"),
        ("segments", "u1 anna 0\n", "wanted a recording, a start and an end"),
        ("segments", "u1 anna 0 1\nu1 anna 1 2\n", "line 2: u1 is there already"),
        ("segments", "u1 anna 2 1\n", "ends at 1 s and starts at 2 s"),
        ("segments", "", "is empty"),
    ],
    "emobox": [
        ("made.jsonl", "not json\n", "line 1: not a JSON object"),
        ("made.jsonl", '{"key": "a", "wav": "wav/anna.wav"}\n', "line 1: no emo; wanted key, wav and emo"),
        ("made.jsonl", "\n", "holds no line"),
        ("label_map.json", "[1]", "not a JSON object of emotions"),
        ("fold_1/made_valid_fold_1.jsonl", '{"key": "made-wav/eva-0"}\n', "is in two subsets of fold 1"),
        ("second.jsonl", "{}\n", "holds several .jsonl files (made.jsonl, second.jsonl)"),
    ],
    "nkululeko": [
        ("list.csv", "path,emotion\na.wav,sad\n", "no column file in its first line; found path, emotion"),
        ("list.csv", "file,age\na.wav,3\n", "no column emotion; found file, age"),
        ("list.csv", "file,emotion\na.wav\n", "row 2: 1 cell under 2 columns"),
        ("list.csv", "file,emotion,start\nwav/anna.wav,sad,early\n", "row 2: start is 'early'"),
        ("list.csv", "file,emotion,arousal\nwav/anna.wav,sad,high\n", "row 2: arousal: 'high' is not a number"),
        ("list.csv", "file,emotion\nwav/anna.wav,\n", "none of its utterances has an emotion"),
        ("list.csv", "file,emotion\nwav/anna.txt,sad\n", "none of its files is audio"),
        ("list.csv", "file,emotion\nwav/anna.wav,sad\nwav/anna.wav,sad\n", "row 3: wav/anna is listed already"),
        ("list.csv", "file,emotion\n", "no line below the header"),
    ],
    "audiofolder": [
        ("metadata.jsonl", '{"file": "a.wav", "label": "sad"}\n', "no column file_name; found file, label"),
        ("metadata.jsonl", '{"file_name": "a.wav", "loud": 1}\n', "no column emotion or label"),
        ("metadata.jsonl", '{"file_name": "", "label": "sad"}\n', "line 1: no file_name"),
        ("metadata.parquet", "x", "metadata.parquet is not read"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "file", "text", "message"), [(kind, *case) for kind, cases in ERRORS.items() for case in cases]
)
def test_what_is_wrong_with_a_list_is_one_line(kind, file, text, message, tmp_path):
    name = made(kind, tmp_path)
    root = {"kaldi": tmp_path / "data" / "train", "emobox": tmp_path / "data" / "made"}.get(kind, tmp_path)
    (root / file).write_text(text)
    with pytest.raises(SerError, match=re.escape(message)) as error:
        corpora.load(name)
    assert "\n" not in str(error.value) and file.rpartition("/")[2].partition(".")[0] in str(error.value)


# --- what a format has of its own


def test_kaldi_without_emotions_of_their_own_takes_the_first_word_of_the_text(tmp_path):
    name = made("kaldi", tmp_path)
    data = tmp_path / "data" / "train"
    (data / "utt2emo").unlink()
    lines = (data / "text").read_text().splitlines()
    (data / "text").write_text("".join(f"{line.split()[0]} <sad> it is dark\n" for line in lines))
    found = corpora.load(name)
    assert set(found["emotion"]) == {"sad"} and set(found["text"]) == {"it is dark"}
    (data / "text").unlink()
    with pytest.raises(SerError, match="neither utt2emo nor text"):
        corpora.load(name)


def test_kaldi_without_segments_has_one_utterance_per_recording(tmp_path):
    made_formats.write_audio(tmp_path)
    (tmp_path / "wav.scp").write_text(f"u1 wav/anna.wav\nu2 {tmp_path}/wav/ben.wav\n")
    (tmp_path / "utt2emo").write_text("u1 angry\nu2 sad\n")
    found = corpora.load(f"kaldi:{tmp_path}")
    assert list(found["id"]) == ["u1", "u2"] and "start" not in found
    assert list(found["path"]) == [str(tmp_path / "wav" / "anna.wav"), str(tmp_path / "wav" / "ben.wav")]
    assert set(found["speaker"]) == {"unknown"}


def test_nkululeko_filewise(tmp_path):
    made_formats.write_audio(tmp_path)
    (tmp_path / "list.csv").write_text("file;emotion;gender;split\nwav/anna.wav;fear;w;train\nwav/ben.wav;joy;;test\n")
    found = corpora.load(f"nkululeko:{tmp_path / 'list.csv'}")
    assert list(found["id"]) == ["wav/anna", "wav/ben"] and list(found["emotion"]) == ["fearful", "happy"]
    assert list(found["sex"]) == ["female", "unknown"] and list(found["0"]) == ["train", "test"]


def test_audiofolder_by_folders_and_subsets(tmp_path):
    made_formats.write_audio(tmp_path / "source")
    for place in ("train/sad/1.wav", "train/joy/2.wav", "validation/sad/3.wav", "test/joy/4.wav"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes((tmp_path / "source" / "wav" / "anna.wav").read_bytes())
    for file in (tmp_path / "source" / "wav").iterdir():
        file.unlink()
    found = corpora.load(f"audiofolder:{tmp_path}")
    assert list(found["emotion"]) == ["happy", "happy", "sad", "sad"]
    assert list(found["0"]) == ["test", "train", "train", "validation"]


def test_audiofolder_metadata_csv_counts_from_its_own_folder(tmp_path):
    made_formats.write_audio(tmp_path / "train")
    (tmp_path / "train" / "metadata.csv").write_text(
        "file_name,emotion,valence\nwav/anna.wav,Angry,1.5\nwav/ben.wav,sad,\n"
    )
    found = corpora.load(f"audiofolder:{tmp_path}")
    assert list(found["id"]) == ["train/wav/anna", "train/wav/ben"] and set(found["0"]) <= {"train", "validation"}
    assert found["valence"].to_list()[0] == 1.5 and np.isnan(found["valence"].to_list()[1])


@needs_audformat
def test_audformat_gold_standard_tables_are_joined_and_split(tmp_path):
    import audformat

    made_formats.write_audio(tmp_path)
    database = audformat.Database("made")
    for name in ("train", "test"):
        database.splits[name] = audformat.Split(type=name)
    database.schemes["arousal"] = audformat.Scheme("float")
    database.schemes["emotion"] = audformat.Scheme(labels=["anger", "sadness"])
    for name, files in {"train": ["wav/anna.wav", "wav/ben.wav"], "test": ["wav/dan.wav"]}.items():
        key = f"emotion.{name}.gold_standard"
        database[key] = audformat.Table(audformat.filewise_index(files), split_id=name)
        database[key]["emotion"] = audformat.Column(scheme_id="emotion")
        database[key]["emotion"].set(["anger", "sadness"][: len(files)])
        database[key]["arousal"] = audformat.Column(scheme_id="arousal")
        database[key]["arousal"].set([0.25] * len(files))
    database["raters"] = audformat.Table(audformat.filewise_index(["wav/anna.wav"]))
    database["raters"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["raters"]["emotion"].set([None])
    database.save(str(tmp_path))
    found = corpora.load(f"audformat:{tmp_path}")
    assert list(found["id"]) == ["wav/anna", "wav/ben", "wav/dan"] and list(found["0"])[2] == "test"
    assert list(found["arousal"]) == [0.25] * 3
    one = corpora.load(f"audformat:{tmp_path}#emotion.test.gold_standard")
    assert list(one["id"]) == ["wav/dan"]
    with pytest.raises(SerError, match="none of its utterances has an emotion"):
        corpora.load(f"audformat:{tmp_path}#raters")
    with pytest.raises(SerError, match="table nothing has no emotions or is missing"):
        corpora.load(f"audformat:{tmp_path}#nothing")


# --- the folds that a corpus comes with


@pytest.mark.parametrize(("folds", "validating"), [(5, 2), (2, 2), (1, 2)])
def test_emobox_folds_are_the_protocol_official(folds, validating, tmp_path):
    made_formats.write_audio(tmp_path)
    name = made_formats.write_emobox(tmp_path, folds)
    table = corpora.load(name)
    assert splits.fold_count(table, "official") == folds
    speakers = dict(zip(table["id"], table["speaker"], strict=True))
    for fold in range(folds):
        split = splits.split(table, "official", fold)
        assert {speakers[name] for name in split.test} == {list(made_formats.SPEAKERS)[fold]}
        assert len(split.test) == 2 and len(split.validation) == validating
        assert len(split.train) == 10 - 2 - len(split.validation)
        assert not {speakers[name] for name in split.validation} & {speakers[name] for name in split.test}
        if folds == 5:
            assert {speakers[name] for name in split.validation} == {list(made_formats.SPEAKERS)[(fold + 1) % 5]}
    assert leakage.audit_protocol(name, "official", cues=False, progress=False)["speakers"] == []


def test_emobox_of_ravdess_has_the_folds_that_are_frozen_here(tmp_path):
    """EmoBox's own test actors, written as its files are: the protocols ``official`` and ``speaker`` are the same."""
    listed = corpora.manifest("ravdess")
    test = {row["id"]: row for row in assignment.utterance_sides("ravdess", "speaker").to_dict("records")}
    plant(tmp_path, *(f"downloads/{file}" for file in listed["file"]))
    data = tmp_path / "data" / "ravdess"
    lines = {
        key: json.dumps({"key": f"ravdess-{key}", "dataset": "ravdess", "wav": f"downloads/{file}", "emo": emotion})
        for key, file, emotion in zip(listed["id"], listed["file"], listed["emotion"], strict=True)
    }
    data.mkdir(parents=True)
    (data / "ravdess.jsonl").write_text("\n".join(lines.values()))
    for fold in range(6):
        (data / f"fold_{fold + 1}").mkdir()
        for subset in ("train", "test"):
            chosen = [key for key in lines if (test[key][str(fold)] == "test") == (subset == "test")]
            path = data / f"fold_{fold + 1}" / f"ravdess_{subset}_fold_{fold + 1}.jsonl"
            path.write_text("\n".join(lines[key] for key in chosen))
    table = corpora.load(f"emobox:{data}")
    assert len(table) == 1440 and table["speaker"].nunique() == 24 and set(table["sex"]) == {"female", "male"}
    for fold in range(6):
        assert splits.split(table, "official", fold) == splits.split(listed, "speaker", fold)


def test_a_corpus_without_folds_has_no_official_ones(tmp_path):
    name = made("nkululeko", tmp_path)
    for corpus in (name, "ravdess"):
        with pytest.raises(SerError, match="comes with no folds of its own; use --protocol speaker"):
            assignment.utterance_sides(corpus, "official")


def test_folds_that_change_are_another_run(tmp_path):
    """Who is in which subset is part of the version of the data under ``official``, and only there."""
    made_formats.write_audio(tmp_path)
    name = made_formats.write_emobox(tmp_path)
    specs = [Spec(corpus=name, model="svm", protocol=protocol) for protocol in ("official", "speaker")]
    before = [data_version(spec) for spec in specs]
    test, train = (tmp_path / "data" / "made" / "fold_1" / f"made_{side}_fold_1.jsonl" for side in ("test", "train"))
    first, *rest = train.read_text().splitlines()
    train.write_text("\n".join(rest))
    test.write_text(f"{test.read_text()}{first}\n")
    after = [data_version(spec) for spec in specs]
    assert before[0] != after[0] and before[1] == after[1]


def test_a_corpus_in_a_format_is_trained_and_tested(tmp_path, own_store):
    made_formats.write_audio(tmp_path)
    spec = Spec(corpus=made_formats.write_emobox(tmp_path), model="svm", protocol="official", augment="none", fold=1)
    row = run_spec(spec, progress=False)
    assert row.n_train == 6 and row.n_test == 2 and row.status == "ok"


# --- the documentation


def test_the_documentation_names_every_kind_and_column():
    text = (paths.root() / "docs" / "formats.md").read_text(encoding="utf-8")
    for kind in formats.FORMATS:
        assert re.search(rf"^\| `{kind}:PATH` \|", text, flags=re.MULTILINE), kind
    for column, names in listing.COLUMN_NAMES.items():
        line = next(line for line in text.splitlines() if line.startswith("| ") and names[0] + ", " in line)
        assert column == "split" or f"`{column}`" in line
        assert all(re.search(rf"\b{name}\b", line) for name in names), column
    for words in (listing.SEXES, listing.SUBSETS):
        assert all(word in text for word in words)
    for code, emotion in (iemocap.EMOTIONS | msp_podcast.EMOTIONS).items():
        assert f"`{code}` {emotion}" in text if emotion else f"`{code}`" in text
    for corpus in (iemocap, msp_podcast):
        assert corpus.SCALE in text
