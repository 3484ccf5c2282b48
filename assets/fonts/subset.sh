#!/bin/sh
# Makes the two fonts of this folder from Liberation Sans 2.1.5 (Debian: fonts-liberation2), with fonttools.
# Usage: subset.sh /usr/share/fonts/truetype/liberation2
# The family is renamed, since the licence reserves the name "Liberation" for unmodified fonts.
set -e
cd "$(dirname "$0")"
text="U+0020-007E,U+00A0-00FF,U+0370-03FF,U+2010-2015,U+2018-2022,U+2026,U+2032,U+2033,U+2070-2094"
signs="U+2190-2195,U+2202,U+2206,U+2212,U+221A,U+221E,U+2248,U+2260,U+2264,U+2265"
for style in Regular Italic; do
    pyftsubset "$1/LiberationSans-$style.ttf" --unicodes="$text,$signs" --no-hinting --desubroutinize \
        --layout-features=kern,mark,ccmp --name-IDs='0,1,2,3,4,5,6,13,14' --notdef-outline --output-file="s2dpesSans-$style.ttf"
    python3 - "s2dpesSans-$style.ttf" "$style" <<'PYTHON'
import sys
from fontTools.ttLib import TTFont

path, style = sys.argv[1:]
font = TTFont(path, recalcTimestamp=False)
names = {1: "s2dpes Sans", 3: f"s2dpes Sans {style}", 4: f"s2dpes Sans {style}", 6: f"s2dpesSans-{style}"}
for record in font["name"].names:
    if record.nameID in names:
        record.string = names[record.nameID]
font.save(path)
PYTHON
done
