#!/usr/bin/env bash
# The last mark of a TextGrid goes missing between two Python libraries, and a third one's files are refused.
#
# Guess: TextGrid is Praat's old and simple format; what one library writes and Praat opens, the others read too.
#
# What happens: tgt 1.5 writes the short form without a line end after the last label. Praat (parselmouth 0.4.7) reads
# all of it; praatio 6.2.2 drops the last point of a point tier, with no error: of a single laugh nothing is left. One
# more newline in the file brings it back. The long form of textgrid 1.6.1 names the time of a point "time" where
# today's Praat writes "number"; Praat, tgt and textgrid take it, praatio raises ParsingError. And textgrid reads
# intervals of the short form, but no points, not even Praat's own: AttributeError.
#
# Why it matters here: laughs, sighs and other events that emotion annotators mark are points, annotated in Praat and
# read in Python. The loss shows only in counts, and only for files whose last tier holds points.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  praat-parselmouth==0.4.7 praatio==6.2.2 tgt==1.5 TextGrid==1.6.1 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import parselmouth
import textgrid
import tgt
from praatio import textgrid as praatio

print({name: version(name) for name in ("praat-parselmouth", "praatio", "tgt", "TextGrid")})
call = parselmouth.praat.call

grid = tgt.TextGrid()
emotions, events = tgt.IntervalTier(0, 3, "emotion"), tgt.PointTier(0, 3, "events")
emotions.add_interval(tgt.Interval(0.5, 1.0, "joy"))
events.add_point(tgt.Point(1.5, "laugh"))
events.add_point(tgt.Point(2.5, "sigh"))
grid.add_tiers([emotions, events])
tgt.write_to_file(grid, "tgt_short.TextGrid", format="short")
with open("tgt_short.TextGrid") as old, open("with_newline.TextGrid", "w") as new:
    new.write(old.read() + "\n")
call(parselmouth.Data.read("tgt_short.TextGrid"), "Save as short text file", "praat_short.TextGrid")
call(parselmouth.Data.read("tgt_short.TextGrid"), "Save as text file", "praat_long.TextGrid")
textgrid.TextGrid.fromFile("praat_long.TextGrid").write("textgrid_long.TextGrid")

readers = {
    "Praat": lambda name: call(parselmouth.Data.read(name), "Get number of points", 2),
    "praatio": lambda name: len(praatio.openTextgrid(name, includeEmptyIntervals=False).getTier("events").entries),
    "tgt": lambda name: len(tgt.io.read_textgrid(name).tiers[1]),
    "textgrid": lambda name: len(textgrid.TextGrid.fromFile(name)[1]),
}
seen = {}
for name in ("tgt_short", "with_newline", "praat_short", "praat_long", "textgrid_long"):
    for reader, count in readers.items():
        try:
            seen[name, reader] = count(f"{name}.TextGrid")
        except Exception as error:
            seen[name, reader] = type(error).__name__
    print(f"{name:14} points read by", {reader: seen[name, reader] for reader in readers})
lost = [seen[name, "praatio"] for name in ("tgt_short", "with_newline", "textgrid_long")]
praat = [seen["tgt_short", "Praat"], seen["textgrid_long", "Praat"], seen["praat_short", "textgrid"]]
if not (lost == [1, 2, "ParsingError"] and praat == [2, 2, "AttributeError"]):
    sys.exit("CHANGED: the libraries read each other's TextGrids otherwise")
print("as described")
EOF
