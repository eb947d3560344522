#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page of evaluate --html, of a real record: every section, nothing loaded, what is printed stays as it was, errors
# named; and in a real browser: it is drawn, nothing sticks out, it prints.
. "$(dirname "$0")/lib.sh"
need sqlite3
mkdir "$work/log"
"$BIN/coolplane-sim" serve --site tiny --print-site "$work/own" >"$work/own.log" 2>&1 || fail "print-site"
own=$work/own/site.yaml
"$BIN/coolplane-sim" compare --site tiny --hours 2 --warmup-hours 1 --controllers b2 --log "$work/log" >"$work/compare.log" 2>&1 || fail "compare"
"$BIN/coolplane" replay --config "$own" --log "$work/log/b2-1.db" --out "$work/out.db" >"$work/replay.log" 2>&1 || fail "replay"
of=(--config "$own" --db "$work/out.db" --log "$work/log/b2-1.db")
page="$work/a page.html"
"$BIN/coolplane" evaluate "${of[@]}" --json >"$work/plain.json" || fail "evaluate"
sum=$(cat "$work/out.db" "$work/log/b2-1.db" | sha256sum)
"$BIN/coolplane" evaluate "${of[@]}" --json --html "$page" >"$work/page.json" 2>"$work/page.log" || fail "evaluate --html: $(cat "$work/page.log")"
[ "$(cat "$work/out.db" "$work/log/b2-1.db" | sha256sum)" = "$sum" ] || fail "the page writes to a database"
cmp -s "$work/plain.json" "$work/page.json" || fail "--html changes what is printed"
grep -q "wrote $page" "$work/page.log" || fail "the page is not named: $(cat "$work/page.log")"
"$BIN/coolplane" evaluate "${of[@]}" --html "$page" >"$work/both.txt" 2>&1 || fail "evaluate --html into one file"
tail -n 1 "$work/both.txt" | grep -q "^coolplane evaluate: wrote $page" || fail "the note stands within the text: $(tail -n 3 "$work/both.txt")"
[ ! -e "$page.new" ] || fail "something is left beside the page"
python3 - "$page" "$work/page.json" <<'PY' || fail "the page"
import html.parser, json, re, sys
text, d = open(sys.argv[1], encoding="utf-8").read(), json.load(open(sys.argv[2]))
class Page(html.parser.HTMLParser):
    void = {"meta", "line", "rect", "circle", "polyline", "polygon", "br"}
    def __init__(self):
        super().__init__()
        self.open, self.sections, self.tags, self.bad = [], [], {}, []
    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.bad += [(tag, a) for a in attrs if a[0] in ("src", "href", "action", "data", "srcset") or a[0].startswith("on")]
        if tag == "section":
            self.sections.append(dict(attrs)["id"])
        if tag not in self.void:
            self.open.append(tag)
    def handle_startendtag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())
p = Page()
p.feed(text)
p.close()
assert not p.open and not p.bad, (p.open, p.bad)
assert p.sections == "golive energy limits hours proposals disagreements forecast quality untold".split(), p.sections
for tag in ("script", "link", "img", "iframe", "object", "base"):
    assert tag not in p.tags, tag
assert not re.search(r"https?:|url\(|@import|//", text), "something may be loaded"
assert p.tags["svg"] == 9, p.tags  # power, limits, hours of the day, four variables, two by day
assert not re.search(r"\b(nan|inf)\b", text, re.I) and not re.search(r"\d\.\d{5}", text), "numbers"
words = re.sub(r"<[^>]*>", "", text)
met = int(re.search(r"(\d+) of 17 conditions to go live are met", words)[1])
assert text.count("✓ met<") == met and text.count("✗ not met<") + text.count("? not known<") == 17 - met
assert f"{d['decisions']}; {d['shadow']} in shadow" in words
assert "Nothing was changed, so nothing was saved yet." in words
assert d["hottest_inlet"]["measured"]["hottest_at"][11:16] in words
PY
# each command of the page runs
grep -o 'coolplane why [^<]*' "$page" | sort -u >"$work/why.txt"
[ "$(wc -l <"$work/why.txt")" -ge 3 ] || fail "no hours: $(cat "$work/why.txt")"
read -ra words <<<"$(head -n 1 "$work/why.txt")"
"$BIN/coolplane" "${words[@]:1}" >"$work/why.log" 2>&1 || fail "${words[*]}"
again=$(sed -n 's/.*<code>\(coolplane evaluate [^<]*\)<.*/\1/p' "$page" | sed "s/&#39;/'/g")
(eval "set -- $again" && shift && "$BIN/coolplane" "$@" >/dev/null 2>&1) || fail "not to be repeated: $again"
"$BIN/coolplane" evaluate --config "$own" --db "$work/log/b2-1.db" --html "$work/b2.html" >/dev/null 2>&1 || fail "a baseline without proposals"
# a page takes the place of a page, and of nothing else
"$BIN/coolplane" evaluate "${of[@]}" --html "$page" >/dev/null 2>&1 || fail "the page is not made anew"
sum=$(cat "$work/out.db" "$work/log/b2-1.db" "$own" | sha256sum)
ln -s "$work/out.db" "$work/link.html"
for taken in "$work/out.db" "$work/log/b2-1.db" "$own" "$work/link.html" "$work/plain.json"; do
  "$BIN/coolplane" evaluate "${of[@]}" --html "$taken" >/dev/null 2>"$work/taken.log"
  [ $? = 74 ] && grep -q "$taken " "$work/taken.log" || fail "a page in the place of $taken: $(cat "$work/taken.log")"
done
[ "$(cat "$work/out.db" "$work/log/b2-1.db" "$own" | sha256sum)" = "$sum" ] || fail "a page takes the place of what it is made from"
# what cannot be written, what cannot be scored
"$BIN/coolplane" evaluate "${of[@]}" --html "$work/none/page.html" >/dev/null 2>"$work/none.log"
[ $? = 74 ] && grep -q "$work/none/page.html: No such file" "$work/none.log" || fail "an unwritable page: $(cat "$work/none.log")"
"$BIN/coolplane" evaluate "${of[@]}" --to 2020-01-01T00:00:00Z --html "$work/none.html" >/dev/null 2>&1
[ $? = 4 ] && [ ! -e "$work/none.html" ] || fail "a page of nothing"
sqlite3 "$work/out.db" "SAVEPOINT s; UPDATE decision SET worst_inlet_c = 55, margin = -9 WHERE id = 150; RELEASE s" || fail "cannot change a copy"
"$BIN/coolplane" evaluate "${of[@]}" --html "$page" >"$work/changed.txt" 2>&1 || fail "a changed record: $(tail -n 3 "$work/changed.txt")"
grep -q '^  1 record was changed after being written, in no figure' "$work/changed.txt" && grep -q '✗ not met</td><td>The record is as it was written' "$page" || fail "a changed record does not stand out: $(head -n 5 "$work/changed.txt")"
! grep -q '55\.0 °C' "$page" && ! grep -q 'hottest 55\.00 C' "$work/changed.txt" || fail "a changed record decides the hottest inlet"
sqlite3 "$work/out.db" "UPDATE action SET result = 1, read_back = value WHERE id = 2" || fail "cannot change a copy"
"$BIN/coolplane" evaluate "${of[@]}" --html "$work/left.html" >/dev/null 2>&1
[ $? = 3 ] && grep -q '✗ not met</td><td>Shadow wrote nothing' "$work/left.html" || fail "a write in shadow is not on the page"

# in a browser; without one the test is skipped, and says so
need chromium
browse() { # file options: chromium in a place of its own
  local file=$1
  shift
  HOME=$work timeout 100 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run --user-data-dir="$work/chromium" \
    "$@" "file://$file" 2>>"$work/chromium.log"
}
cp "$page" "$work/page.html" # no blank in the address
browse "$work/page.html" --window-size=1280,4000 --screenshot="$work/page.png" >/dev/null && [ -s "$work/page.png" ] || fail "no screenshot"
python3 - "$work/page.png" <<'PY' || fail "the screenshot"
import struct, sys, zlib
png = open(sys.argv[1], "rb").read()
assert png[:8] == b"\x89PNG\r\n\x1a\n"
at, data = 8, b""
while at < len(png):
    n, kind = struct.unpack(">I4s", png[at:at + 8])
    if kind == b"IHDR":
        width, height, bits, colour = struct.unpack(">IIBB", png[at + 8:at + 18])
    if kind == b"IDAT":
        data += png[at + 8:at + 8 + n]
    at += 12 + n
assert (width, height, bits) == (1280, 4000, 8) and colour in (2, 6), (width, height, bits, colour)
bpp = 3 if colour == 2 else 4
raw, row, seen = zlib.decompress(data), width * bpp, set()
before = bytearray(row)
for y in range(420): # the head and the verdict are there
    kind, line = raw[y * (row + 1)], bytearray(raw[y * (row + 1) + 1:(y + 1) * (row + 1)])
    for x in range(row if kind else 0):
        a, b, c = (line[x - bpp], before[x], before[x - bpp]) if x >= bpp else (0, before[x], 0)
        if kind == 4:
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        line[x] = line[x] + (a if kind == 1 else b if kind == 2 else (a + b) // 2 if kind == 3 else
                             a if pa <= pb and pa <= pc else b if pb <= pc else c) & 255
    seen.update(bytes(line[x:x + 3]) for x in range(0, row, bpp))
    before = line
assert len(seen) > 30 and b"\xff\xff\xff" in seen and b"\xd5\x5e\x00" in seen, len(seen) # the verdict's border
PY
# the page itself needs no script: a copy gets one that measures it
sed 's#</body>#<script>const r = document.documentElement, w = r.clientWidth; r.dataset.wide = r.scrollWidth - w; r.dataset.high = r.scrollHeight;'\
' r.dataset.out = [...document.querySelectorAll("td,th,p,svg,dd,.tile,svg text")].filter(e => { const b = e.getBoundingClientRect(); return b.right > w + 1 || b.left < -1; }).length;</script></body>#' "$work/page.html" >"$work/measured.html"
for width in 1280 800; do
  browse "$work/measured.html" --window-size=$width,1000 --dump-dom >"$work/dom.html" || fail "no document at $width"
  grep -q 'data-wide="0"' "$work/dom.html" && grep -q 'data-out="0"' "$work/dom.html" || fail "something sticks out at $width: $(head -c 200 "$work/dom.html")"
  for id in golive energy limits hours proposals disagreements forecast quality untold; do
    grep -q "<section id=\"$id\"" "$work/dom.html" || fail "no $id in the document"
  done
done
browse "$work/page.html" --no-pdf-header-footer --print-to-pdf="$work/page.pdf" >/dev/null && [ "$(head -c 5 "$work/page.pdf")" = %PDF- ] || fail "it does not print"
pages=$(tr -d '\0' <"$work/page.pdf" | grep -ac '/Type /Page$')
at_least "pages printed" "$pages" 3
at_most "pages printed" "$pages" 12
high=$(sed -n 's/.*data-high="\([0-9]*\)".*/\1/p' "$work/dom.html" | head -n 1)
pass "$(wc -c <"$page") bytes, $high pixels high, $pages pages"
