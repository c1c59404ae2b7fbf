"""Loaders of restricted corpora, on made trees of the published layout; nEMO and EmoDB also as they are."""

import json
import re

import pytest
from click.testing import CliRunner
from made_trees import plant

from ser_core import cli, corpora
from ser_core._utils.errors import SerError
from ser_core._utils.paths import data_dir
from ser_core.corpora.verify import verify
from ser_core.experiments.spec import Spec
from ser_core.protocols import splits


def put(root, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


# --- IEMOCAP


def iemocap(root) -> str:
    """Two dialogues of each of five sessions, with the lines that the evaluation files have beside the summaries."""
    labels = {"F000": "neu", "M000": "hap", "F001": "exc", "M001": "ang", "F002": "xxx", "M002": "fru", "F003": "sad"}
    for session in range(1, 6):
        for dialogue in (f"Ses0{session}F_impro01", f"Ses0{session}M_script01_1"):
            lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
            texts = []
            for number, (turn, label) in enumerate(labels.items()):
                name = f"{dialogue}_{turn}"
                lines += [f"[{number}.5000 - {number + 1}.2500]\t{name}\t{label}\t[2.5000, 3.0000, 3.5000]"]
                lines += ["C-E1:\tNeutral;\t()", "A-E1:\tval 3; act 2; dom  2;\t()", ""]
                texts.append(f"{name} [00{number}.5000-00{number + 1}.2500]: Line {number}.")
                plant(root, f"Session{session}/sentences/wav/{dialogue}/{name}.wav")
            put(root, f"Session{session}/dialog/EmoEvaluation/{dialogue}.txt", "\n".join(lines))
            put(root, f"Session{session}/dialog/transcriptions/{dialogue}.txt", "\n".join(texts))
            put(root, f"Session{session}/dialog/EmoEvaluation/Categorical/{dialogue}_e1_cat.txt", "ignored")
            put(root, f"Session{session}/dialog/EmoEvaluation/._{dialogue}.txt", "ignored")
    return f"iemocap:{root}"


def test_iemocap(tmp_path):
    found = corpora.load(iemocap(tmp_path))
    assert len(found) == 60 and len(found.attrs["unlabelled"]) == 10 and found.attrs["missing"] == []
    assert corpora.labels(found.attrs["corpus"]) == ("neutral", "happy", "sad", "angry", "excited", "frustrated")
    row = found.set_index("id").loc["Ses03F_impro01_M001"]
    assert (row["speaker"], row["sex"], row["emotion"], row["text"]) == ("Ses03M", "male", "angry", "Line 3.")
    assert (row["valence"], row["arousal"], row["dominance"]) == (2.5, 3.0, 3.5)
    assert found.attrs["scale"] == "1 to 5"


def test_iemocap_speakers_are_who_speaks_not_who_wears_the_markers(tmp_path):
    found = corpora.load(iemocap(tmp_path))
    assert found["speaker"].nunique() == 10
    assert (found.groupby("speaker")["sex"].nunique() == 1).all()
    assert not (found["id"].str[:6] == found["speaker"]).all()


def test_iemocap_of_four_classes(tmp_path):
    found = corpora.load(iemocap(tmp_path).replace("iemocap:", "iemocap4:"))
    assert dict(found["emotion"].value_counts()) == {"happy": 20, "neutral": 10, "sad": 10, "angry": 10}


def test_iemocap_official_folds_leave_one_session_out(tmp_path):
    found = corpora.load(iemocap(tmp_path))
    for fold in range(5):
        split = splits.split(found, "official", fold)
        assert {name[4] for name in split.test} == {str(fold + 1)}
        assert {name[4] for name in split.validation} == {str((fold + 1) % 5 + 1)}
        assert len({name[4] for name in split.train}) == 3


def test_iemocap_elsewhere(tmp_path):
    with pytest.raises(SerError, match="no Session1/dialog/EmoEvaluation"):
        corpora.load(f"iemocap:{tmp_path}")
    iemocap(tmp_path / "IEMOCAP_full_release")
    with pytest.raises(SerError, match="; try .*IEMOCAP_full_release"):
        corpora.load(f"iemocap:{tmp_path}")


# --- MSP-Podcast

MSP = """FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_0001_0008.wav,N,2.2,4,3.0,97,Male,Train
MSP-PODCAST_0001_0019.wav,A,5.5,1.5,6,97,Male,Train
MSP-PODCAST_0002_0033.wav,C,4.0,4.0,4.0,Unknown,Unknown,Development
MSP-PODCAST_0003_0001.wav,H,4.0,4.0,4.0,12,Female,Test1
MSP-PODCAST_0003_0002.wav,X,4.0,4.0,4.0,12,Female,Test1
MSP-PODCAST_0004_0001.wav,S,4.0,4.0,4.0,13,Female,Test2
"""


@pytest.mark.parametrize("place", ["Labels/labels_consensus.csv", "labels_consensus.csv"])
def test_msp_podcast(tmp_path, place):
    put(tmp_path, place, MSP)
    plant(tmp_path / "Audios", *re.findall(r"MSP\S+?\.wav", MSP))
    found = corpora.load(f"msp-podcast:{tmp_path}")
    assert list(found["emotion"]) == ["neutral", "angry", "contempt", "happy", "sad"]
    assert list(found["speaker"]) == ["97", "97", "unknown", "12", "13"]
    assert list(found["sex"]) == ["male", "male", "unknown", "female", "female"]
    assert list(found["arousal"])[:2] == [2.2, 5.5] and list(found["valence"])[:2] == [4.0, 1.5]
    assert found.attrs["scale"] == "1 to 7" and found.attrs["unlabelled"] == ["MSP-PODCAST_0003_0002"]
    first, second = (splits.split(found, "official", fold) for fold in (0, 1))
    assert first.train == second.train == ("MSP-PODCAST_0001_0008", "MSP-PODCAST_0001_0019")
    assert first.validation == ("MSP-PODCAST_0002_0033",)
    assert (first.test, second.test) == (("MSP-PODCAST_0003_0001",), ("MSP-PODCAST_0004_0001",))
    with pytest.raises(SerError, match="some utterances have no speaker"):
        splits.split(found, "speaker", 0)


def test_msp_podcast_with_another_letter(tmp_path):
    put(tmp_path, "labels_consensus.csv", MSP.replace(",A,", ",Q,"))
    with pytest.raises(SerError, match="row 3: EmoClass is 'Q', wanted one of A, S, H"):
        corpora.load(f"msp-podcast:{tmp_path}")
    put(tmp_path, "labels_consensus.csv", MSP.replace("EmoVal", "Val"))
    with pytest.raises(SerError, match="no column EmoVal"):
        corpora.load(f"msp-podcast:{tmp_path / 'labels_consensus.csv'}")


# --- MELD


def test_meld(tmp_path):
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
    line = '{n},"Oh, no, it\u2019s {n}!",{who},{emotion},negative,0,{n},8,21,"00:16:16,059","00:16:21,731"\n'
    for subset, folder in (("train", "train/"), ("dev", ""), ("test", "")):
        rows = [("Joey", "joy"), ("Monica", "anger"), ("The Waiter", "neutral")]
        lines = [line.format(n=n, who=who, emotion=emotion) for n, (who, emotion) in enumerate(rows)]
        put(tmp_path, f"{folder}{subset}_sent_emo.csv", head + "".join(lines))
    plant(tmp_path, "train/train_splits/dia0_utt0.wav", "train/train_splits/dia0_utt1.flac")
    plant(tmp_path, "train/train_splits/dia0_utt2.mp4", "dev_splits_complete/dia0_utt0.wav")
    plant(tmp_path, "output_repeated_splits_test/dia0_utt1.wav", "output_repeated_splits_test/._dia0_utt0.wav")
    found = corpora.load(f"meld:{tmp_path}")
    train = ["train/dia0_utt0", "train/dia0_utt1", "train/dia0_utt2"]  # the last is a video
    assert list(found["id"]) == ["dev/dia0_utt0", "test/dia0_utt1", *train]
    assert list(found["emotion"]) == ["happy", "angry", "happy", "angry", "neutral"]
    assert list(found["sex"]) == ["male", "female", "male", "female", "unknown"]
    assert found["text"][0] == "Oh, no, it\u2019s 0!" and "start" not in found
    assert "dev/dia0_utt1" in found.attrs["missing"] and found.attrs["expected"] == 9
    split = splits.split(found, "official", 0)
    assert len(split.train) == 3 and split.validation == ("dev/dia0_utt0",) and split.test == ("test/dia0_utt1",)
    with pytest.raises(SerError, match="holds none of train_sent_emo.csv"):
        corpora.load(f"meld:{tmp_path / 'dev_splits_complete'}")


# --- ESD


@pytest.mark.parametrize("subsets", [True, False])
def test_esd(tmp_path, subsets):
    blocks = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
    for speaker in ("0001", "0004", "0011", "0015"):
        for block, emotion in enumerate(blocks):
            for place, subset in ((1, "evaluation"), (21, "test"), (51, "train")):
                folder = f"{speaker}/{emotion}/{subset}" if subsets else f"{speaker}/{emotion}"
                plant(tmp_path, f"Emotion Speech Dataset/{folder}/{speaker}_{350 * block + place:06d}.wav")
        plant(tmp_path, f"Emotion Speech Dataset/{speaker}/{speaker}.txt")
    found = corpora.load(f"esd:{tmp_path}")
    assert len(found) == 60 and found.attrs["extra"] == []
    sexes = dict(zip(found["speaker"], found["sex"], strict=True))
    assert sexes == {"0001": "female", "0004": "male", "0011": "male", "0015": "female"}
    assert set(found["text"]) == {"zh-001", "zh-021", "zh-051", "en-001", "en-021", "en-051"}
    assert dict(found["emotion"].value_counts()) == dict.fromkeys(("neutral", "angry", "happy", "sad", "surprised"), 12)
    if subsets:
        split = splits.split(found, "official", 0)
        assert {name[-3:] for name in split.train} >= {"051"} and len(split.train) == 20
        assert len(split.validation) == len(split.test) == 20
    else:
        assert "0" not in found


def test_esd_elsewhere(tmp_path):
    plant(tmp_path, "0011/Angry/0012_000351.wav", "0021/Angry/0021_000351.wav")
    with pytest.raises(SerError, match="no file such as 0011/Angry/0011_000351.wav"):
        corpora.load(f"esd:{tmp_path}")


# --- nEMO


def test_nemo_with_blanks_before_the_speaker(tmp_path):
    head = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    rows = "WR0_surprised_64.wav\tsurprised\tUcho.\tucho\t        WR0\tmale\t23\n"
    rows += 'EB0_anger_1.wav\tanger\tA "quote\ta quote\t        EB0\tfemale\t27\n'
    put(tmp_path, "data.tsv", head + rows)
    plant(tmp_path, "samples/WR0_surprised_64.flac", "samples/EB0_anger_1.wav", "samples/EB0_anger_1.flac")
    found = corpora.load(f"nemo:{tmp_path}")
    assert list(found["id"]) == ["EB0_anger_1", "WR0_surprised_64"] and list(found["speaker"]) == ["EB0", "WR0"]
    assert list(found["emotion"]) == ["angry", "surprised"] and list(found["text"]) == ["01", "64"]
    assert found["path"][0].endswith("EB0_anger_1.wav") and found["path"][1].endswith(".flac")


def test_the_real_nemo():
    root = data_dir() / "nemo"
    if not (root / "data.tsv").is_file():
        pytest.skip(f"no nEMO in {root}")
    found = corpora.load(f"nemo:{root}")
    assert found.attrs["expected"] == 4481 and found["speaker"].nunique() == 9
    assert set(found["emotion"]) == {"neutral", "happy", "sad", "angry", "fearful", "surprised"}
    assert (found["id"].str.split("_").str[0] == found["speaker"]).all()
    assert len(found) + len(found.attrs["missing"]) == 4481


# --- EmoDB 1 and 2


def emodb(root, *, second: bool):
    """The 535 names of EmoDB 1, or 816 with its grammar; no audio, so that none has its published checksum."""
    listed = corpora.manifest("emodb")
    names = list(listed["file"])
    if second:
        known = set(names)
        speakers, texts = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"), ("a01", "a02", "a04", "b01")
        others = (f"{speaker}{text}{emotion}{version}.wav" for speaker in speakers for text in texts
                  for emotion in "WLEAFTN" for version in "wxyz")  # fmt: skip
        names += [name for name in others if name not in known][: 816 - len(names)]
    return plant(root, *(f"wav/{name}" for name in names))


def test_emodb_1_and_2_are_told_apart(tmp_path, monkeypatch):
    first, second = emodb(tmp_path / "one", second=False), emodb(tmp_path / "two", second=True)
    assert len(corpora.load("emodb", first)) == len(corpora.load("emodb", second)) == 535
    assert len(corpora.load("emodb2", second)) == 816
    assert "note" not in verify("emodb", first)
    report = verify("emodb", second)
    assert (report["expected"], report["found"], len(report["extra"])) == (535, 535, 281)
    assert report["note"].startswith("this is EmoDB 2: 281 further recordings follow its names")
    report = verify("emodb2", second)
    assert (report["expected"], report["found"], report["missing"]) == (816, 816, [])
    assert len(report["unverifiable"]) == 281 and len(report["changed"]) == 535
    assert report["note"].startswith("535 of the 535 recordings of EmoDB and 281 others")
    with pytest.raises(SerError, match="holds EmoDB .535 of 535 utterances. and nothing that only EmoDB 2 .816. has"):
        verify("emodb2", first)
    monkeypatch.setenv("SER_DATA", str(second))
    told = CliRunner().invoke(cli.main, ["data", "verify", "emodb"]).stdout
    assert "emodb: 535 of 535 utterances" in told and "note: this is EmoDB 2" in told
    told = CliRunner().invoke(cli.main, ["data", "verify", "emodb2", "--json"]).stdout
    assert json.loads(told)["found"] == 816


def test_emodb_2_is_split_by_its_own_speakers(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(emodb(tmp_path, second=True)))
    found = corpora.load("emodb2")
    assert set(found["corpus"]) == {"emodb2"}
    split = splits.split(found, "speaker", 0)
    sides = [{name[:2] for name in getattr(split, side)} for side in splits.SIDES]
    assert not sides[0] & sides[2] and not sides[1] & sides[2] and sum(map(len, sides)) == 10
    with pytest.raises(SerError, match="no published file list"):
        corpora.manifest("emodb2")


def test_emodb_2_is_no_corpus_to_test_emodb_on():
    with pytest.raises(SerError, match="shares recordings with emodb"):
        Spec(corpus="emodb", test_corpus="emodb2", protocol="cross")
    with pytest.raises(SerError, match="shares recordings with emodb"):
        Spec(corpus="emodb", test_corpus="emodb", protocol="cross")
