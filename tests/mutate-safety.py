#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation test of safety/: changes one operator, constant, call or statement at a time and asks whether the unit tests notice.

  tests/mutate-safety.py [FILE...]    of safety/*.c, or of these files
  tests/mutate-safety.py --entries    only: does every entry of tests/mutants.md still name a line? (1: one does not)

Each mutant is compiled alone (-O1), linked with the fast tests and run with a time limit; one that does not compile, or whose
object is the original's, is not counted. Survivors are listed as file:line: original → mutant; those that tests/mutants.md
justifies (the line as listed, without its number, in backquotes) are told apart. Exit code 1: others survived.

  COOLPLANE_MUTANTS=150  so many, drawn at random; 0 = all
  COOLPLANE_SEED=1       of the draw
  COOLPLANE_JOBS=1       at once
Not a part of the suite. Scratch in a temporary folder; standard library only."""
import concurrent.futures, glob, os, random, re, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CC = [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-O1", "-w", "-I.", f'-DSOURCE_DIR="{ROOT}"']
# test → options of its link (tests/unit/safety.cmake); the quickest and the most telling first, campaigns last
TESTS = {"test_safety_limits": ["-Wl,--wrap=arx_predict_work"], "test_safety_envelope": [], "test_safety_interlock": [],
         "test_verify": [], "test_verify_units": [], "test_safety_equipment": [], "test_safety_units": [], "test_safety_fallback": [],
         "test_safety_floors": [], "test_safety_filter": [], "test_safety_filter_readings": [], "test_safety_filter_terminal": [],
         "test_safety_filter_rooms": [], "test_safety_create": [], "test_safety_nearest": ["-Wl,--wrap=arx_rollout_step"],
         "test_safety_rollout": [], "test_safety_tighten": ["-Wl,--wrap=arx_rollout_step,--wrap=arx_worst"],
         "test_safety_project": ["-Wl,--wrap=arx_rollout_slopes"], "test_ladder": [], "test_safety_beyond": [], "test_safety_recheck": [], "test_safety_hostile": [], "test_safety_loop": []}
CAMPAIGN = {"COOLPLANE_HOSTILE": "2000", "COOLPLANE_EPISODES": "7", "COOLPLANE_SEED": "1"}
LIMIT_S = 20  # of one test, which takes a second at most

# What is looked for → what stands there instead. clang-format puts blanks around binary operators.
SWAPS = [(r" < ", [" <= ", " >= "]), (r" <= ", [" < ", " > "]), (r" > ", [" >= ", " <= "]), (r" >= ", [" > ", " < "]),
         (r" == ", [" != "]), (r" != ", [" == "]), (r" && ", [" || "]), (r" \|\| ", [" && "]), (r" \+ ", [" - "]), (r" - ", [" + "]),
         (r" \* ", [" / "]), (r" / ", [" * "]), (r" \+= ", [" -= "]), (r" -= ", [" += "]), (r"(?<=[(\s])!(?=[\w(])", [""]),
         (r"(?<=[(\s?:])-(?=[\w(])", [""]), (r"\btrue\b", ["false"]), (r"\bfalse\b", ["true"]), (r"\bfmin\(", ["fmax("]),
         (r"\bfmax\(", ["fmin("]), (r"\bfloor\(", ["ceil("]), (r"\bceil\(", ["floor("]), (r"\+\+", ["--"])]
NUMBER = re.compile(r"(?<![\w.])(\d+)(\.\d+)?(e-?\d+)?(?![\w.])")
STATEMENT = re.compile(r"^\s+(?!return\b|static\b|const\b|struct\b|enum\b|double\b|bool\b|size_t\b|unsigned\b|int\b|char\b|void\b|\})"
                       r"[\w*(>\[\].-]+.*;\s*$")


def code_lines(text):
    """(number, line, the line with comments and strings blanked) of every line that holds code."""
    blank = lambda m: re.sub(r"[^\n]", "~", m.group(0))
    bare = re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', blank, text, flags=re.S)
    for number, (line, code) in enumerate(zip(text.split("\n"), bare.split("\n")), 1):
        if code.strip(" ~") and not code.startswith("#include") and "_Static_assert" not in code:
            yield number, line, code


def mutants_of(path):
    lines = open(os.path.join(ROOT, path), encoding="utf-8").read()
    following = lines.split("\n") + [""]
    for number, line, code in code_lines(lines):
        def put(start, end, new):
            return path, number, line, line[:start] + new + line[end:]
        for pattern, news in SWAPS:
            for m in re.finditer(pattern, code):
                for new in news:
                    yield put(m.start(), m.end(), new)
        for m in NUMBER.finditer(code):
            whole = not m.group(2) and not m.group(3)
            for new in ({"0": ["1"], "1": ["0", "2"]}.get(m.group(1), [str(int(m.group(1)) + 1), str(int(m.group(1)) - 1)])
                        if whole else [f"({m.group(0)} * 2)", "0.0"]):
                yield put(m.start(), m.end(), new)
        last = following[number] == "}"  # the return that ends a function stays
        if STATEMENT.match(code.rstrip(" ~") + " ") or (re.match(r"^\s+return\b.*;\s*$", code.rstrip(" ~")) and not last):
            indent = len(line) - len(line.lstrip())
            yield put(indent, len(code.rstrip(" ~")), ";")


def run(command, **more):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def compiled(source, target, name=None):
    return run([*CC, "-c", "-o", target, source] + (["-I", os.path.dirname(os.path.join(ROOT, name))] if name else [])).returncode == 0


def build_base(work):
    """Objects of everything once: path → object."""
    objects = {}
    for path in sorted(glob.glob("models/num/*.c", root_dir=ROOT) + glob.glob("models/arx/*.c", root_dir=ROOT) +
                       glob.glob("safety/*.c", root_dir=ROOT)) + [f"tests/unit/{t}.c" for t in TESTS]:
        objects[path] = os.path.join(work, path.replace("/", "_") + ".o")
        if not compiled(path, objects[path]):
            sys.exit(f"mutate-safety.py: {path} does not compile")
    return objects


def first_to_notice(objects, work, path=""):
    """Name of the first test that fails, hangs or cannot be linked; None when none does. Those named after the file go first."""
    library = [o for p, o in objects.items() if not p.startswith("tests/")]
    stem = os.path.splitext(os.path.basename(path))[0]
    for test, options in sorted(TESTS.items(), key=lambda t: not stem or stem not in t[0]):
        binary = os.path.join(work, test)
        if run(["cc", "-o", binary, objects[f"tests/unit/{test}.c"], *library, *options, "-lcmocka", "-lm"]).returncode:
            return "link"
        try:
            if run([binary], timeout=LIMIT_S, env={**os.environ, **CAMPAIGN}).returncode:
                return test
        except subprocess.TimeoutExpired:
            return f"{test} (time)"
    return None


def judge(objects, mutant):
    """'void', the name of the test that noticed, or None."""
    path, number, _, new = mutant
    with tempfile.TemporaryDirectory() as work:
        lines = open(os.path.join(ROOT, path), encoding="utf-8").read().split("\n")
        lines[number - 1] = new
        source, target = os.path.join(work, os.path.basename(path)), os.path.join(work, "mutant.o")
        with open(source, "w", encoding="utf-8") as f:
            f.write("\n".join(lines))
        if not compiled(source, target, path) or same_code(target, objects[path]):
            return "void"
        return first_to_notice({**objects, path: target}, work, path)


def same_code(a, b):
    def code(o):
        return run(["objdump", "-d", "-s", "-j", ".text", "-j", ".rodata", "-j", ".rodata.cst8", "-j", ".data", o]).stdout.split(b"\n", 3)[-1]
    return code(a) == code(b)


def stale_entries(justified):
    """Entries whose line stands nowhere any more."""
    entry = re.compile(r"^- `(safety/\w+\.c): (.*) → .*`$", re.M)
    code = {f: {line.strip() for line in open(os.path.join(ROOT, f), encoding="utf-8")} for f in glob.glob("safety/*.c", root_dir=ROOT)}
    return [m.group(0) for m in entry.finditer(justified) if m.group(2) not in code.get(m.group(1), set())]


def main():
    if sys.argv[1:] == ["--entries"]:
        stale = stale_entries(open(os.path.join(ROOT, "tests/mutants.md"), encoding="utf-8").read())
        print("\n".join(stale) or "every entry of tests/mutants.md names a line")
        sys.exit(bool(stale))
    files = sys.argv[1:] or sorted(glob.glob("safety/*.c", root_dir=ROOT))
    every = [m for f in files for m in mutants_of(f)]
    count, seed = int(os.environ.get("COOLPLANE_MUTANTS", "150")), int(os.environ.get("COOLPLANE_SEED", "1"))
    drawn = every if count == 0 or count >= len(every) else random.Random(seed).sample(every, count)
    try:
        justified = open(os.path.join(ROOT, "tests/mutants.md"), encoding="utf-8").read()
    except FileNotFoundError:
        justified = ""
    print(f"COOLPLANE_SEED={seed}: {len(drawn)} of {len(every)} mutants", flush=True)
    killed, void, survived = {}, 0, []
    with tempfile.TemporaryDirectory() as work:
        objects = build_base(work)
        if first_to_notice(objects, work):
            sys.exit("mutate-safety.py: the tests fail on the original")
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("COOLPLANE_JOBS", "1"))) as pool:
            for mutant, by in zip(drawn, pool.map(lambda m: judge(objects, m), drawn)):
                if by == "void":
                    void += 1
                elif by:
                    killed[by] = killed.get(by, 0) + 1
                else:
                    path, number, old, new = mutant
                    known = f"`{path}: {old.strip()} → {new.strip()}`" in justified
                    survived.append(known)
                    print(f"{path}:{number}: {old.strip()} → {new.strip()}{'  (justified)' if known else ''}", flush=True)
    n = sum(killed.values())
    print(", ".join(f"{t} {k}" for t, k in sorted(killed.items(), key=lambda x: -x[1])))
    print(f"{n} killed, {len(survived)} survived ({sum(survived)} of them justified), {void} not counted: "
          f"{100 * n / max(1, n + len(survived)):.1f} %")
    return 1 if len(survived) > sum(survived) else 0


if __name__ == "__main__":
    sys.exit(main())
