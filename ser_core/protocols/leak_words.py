"""Say in words what an audit of a split has found: leaks, warnings and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ser_core._utils.words import counted
from ser_core.features import usable
from ser_core.protocols import acoustic_cues, balance, speakers

if TYPE_CHECKING:
    import pandas as pd


def in_words(result: dict[str, Any], table: pd.DataFrame, per_fold: list[dict]) -> dict[str, Any]:
    """Return leaks, warnings and notes as sentences."""
    leaks: list[str] = []
    warnings: list[str] = []
    notes: list[str] = []

    def folds_with(key: str) -> str:
        return _in_folds([fold["fold"] for fold in per_fold if fold[key]], per_fold)

    if result["speakers"]:
        leaks.append(f"speakers both in test and elsewhere: {_shortened(result['speakers'])}{folds_with('speakers')}")
    for pair in result["copies"]:
        message = f"{pair['first']} = {pair['second']} ({pair['kind']}, correlation {pair['correlation']:.2f})"
        if pair["leaks_in"]:
            folds = _in_folds(pair["leaks_in"], per_fold)
            leaks.append(f"the same recording both in test and elsewhere: {message}{folds}")
        elif any([pair["first"], pair["second"]] in fold["copies_in_validation"] for fold in per_fold):
            warnings.append(f"the same recording both in training and validation: {message}")
        else:
            notes.append(f"the same recording twice in one subset: {message}")
    augmented = result["augmented"]
    if augmented:
        example = next(fold["augmented_of"][0] for fold in per_fold if fold["augmented"])
        leaks.append(
            f"augmented copies both in test and elsewhere: of {counted(augmented, 'utterance')}"
            f"{folds_with('augmented')}, such as {example}"
        )
    if result["sentences"]:
        warnings.append(
            f"sentences both in test and elsewhere: {_shortened(result['sentences'])}{folds_with('sentences')}"
        )
    warnings += balance.sentences(per_fold)
    for cue in result["cues"]:
        (warnings if cue["warning"] else notes).append(_cue_sentence(cue))
    for name, words in acoustic_cues.WITHOUT_SPEECH.items():
        if group := [row for row in result["without_speech"] if row["input"] == name]:
            warned = any(row["warning"] for row in group)
            (warnings if warned else notes).append(_without_speech_sentence(words, group))
    for kind in ("speakers", "sentences"):
        key = f"validation_{kind}"
        names = sorted({name for fold in per_fold for name in fold[key]})
        if names:
            notes.append(f"validation shares {kind} with training: {_shortened(names)}{folds_with(key)}")
    if not result["recordings"]:
        notes.append("no recordings found: copies are those of the published list, cues were not examined")
    elif result["recordings"] < (table["utterance"] == table["id"]).sum():
        notes.append(f"only {counted(result['recordings'], 'recording')} could be found and examined")
    if "unusable" in table:
        reasons = dict(table.loc[table["unusable"] != "", ["id", "unusable"]].itertuples(index=False))
        notes += [f"not examined: {usable.describe(reasons)}"] if reasons else []
    notes += speakers.describe_alike(table)
    if found := speakers.coincidence(table):
        warnings.append(f"{found}: these are no speakers, and shared speakers cannot be detected")
    if set(table["speaker"]) <= {"unknown", ""}:
        warnings.append("all speakers are unknown: shared speakers cannot be detected")
    if set(table["text"]) <= {"unknown", ""}:
        notes.append("all texts are unknown: shared sentences cannot be detected")
    return {"leaks": leaks, "warnings": warnings, "notes": notes, "ok": not leaks}


def _cue_sentence(cue: dict[str, Any]) -> str:
    """Return what the cues predict as a sentence, with UAR and interval in percent."""
    return (
        f"length, silence at the ends, level, rate and DC alone predict the {cue['target']} at a UAR of "
        f"{_percent(cue)}, chance {100 * cue['chance']:.1f} % (strongest: "
        f"{cue['strongest'].replace('_', ' ')})"
    )


def _percent(row: dict[str, Any]) -> str:
    """Return a UAR with its interval, in percent."""
    low_high = row["interval"]
    interval = f" [{100 * low_high[0]:.1f}, {100 * low_high[1]:.1f}]" if low_high else ""
    return f"{100 * row['uar']:.1f} %{interval}"


def _without_speech_sentence(words: str, group: list[dict[str, Any]]) -> str:
    """Return what a baseline without speech predicts at every level as a sentence."""
    scores = [f"{_percent(row)} {acoustic_cues.LEVELS[row['normalised']]}" for row in group]
    chance = f"chance {100 * group[0]['chance']:.1f} %"
    return f"without speech, {words} predict the emotion at a UAR of {' and '.join(scores)}, {chance}"


def _in_folds(numbers: list[int], per_fold: list[dict]) -> str:
    """Return the numbers of folds in brackets, or nothing if only one fold was audited."""
    return f" (fold {', '.join(map(str, numbers))})" if len(per_fold) > 1 else ""


def _shortened(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
