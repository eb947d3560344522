# SPDX-License-Identifier: Apache-2.0
"""check_units.py DIR: what the units of DIR must agree on between themselves, which systemd-analyze verify does not look at.

Units that exclude each other are ordered, or the one is started while the other still hands the plant back; in one
direction, or their stops would wait for each other. A runtime directory of two units outlives the stop of either. The
limits of start and stop leave the gate the time it may take.
"""
import glob
import os
import sys

START_S, STOP_S = 600, 20  # reads the samples of a day; hand-back 8 s, release 8 s, MQTT 3 s


def read(path):
    unit = {}
    with open(path) as f:
        for line in f:
            key, eq, value = line.strip().partition("=")
            if eq and not key.startswith("#"):
                unit.setdefault(key, []).extend(value.split())
    return unit


units = {os.path.basename(p): read(p) for p in glob.glob(os.path.join(sys.argv[1], "*.service"))}
bad = []


def after(a, b):
    return b in units[a].get("After", []) or a in units.get(b, {}).get("Before", [])


owners = {}
for name, unit in units.items():
    for other in unit.get("Conflicts", []):
        if other not in units:
            bad.append(f"{name} excludes {other}, which is not here")
        elif after(name, other) + after(other, name) == 0:
            bad.append(f"{name} excludes {other} but is not ordered with it: it starts while the other still stops")
        elif after(name, other) and after(other, name):
            bad.append(f"{name} and {other} are each ordered after the other")
    for directory in unit.get("RuntimeDirectory", []):
        owners.setdefault(directory, []).append(name)
    if unit.get("Type") == ["notify"]:
        for key, least in (("TimeoutStartSec", START_S), ("TimeoutStopSec", STOP_S)):
            if int(unit.get(key, ["0"])[0]) < least:
                bad.append(f"{name}: {key} is below {least} s")
for directory, names in owners.items():
    for name in names if len(names) > 1 else []:
        if units[name].get("RuntimeDirectoryPreserve") != ["yes"]:
            bad.append(f"the stop of {name} removes /run/{directory}, which {len(names)} units own")
if len(units) != 4 or not owners:
    bad.append(f"units: {sorted(units)}")
print("; ".join(bad))
sys.exit(1 if bad else 0)
