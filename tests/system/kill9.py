# SPDX-License-Identifier: Apache-2.0
"""kill -9 of coolplaned at random instants (040-kill9.sh).

After every kill: every sample the gate had reported as committed is in the database; every decision is whole and no
action lacks its decision; the equipment timers of its last slow step are there; every device is local again within its
watchdog time. After every restart: no setpoint moves toward less cooling by more than its max_step from the value in force, and
the timers were taken over."""
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from modbus_read import read_point  # noqa: E402

BIN, CONFIG, DB, SCALE, ORIGIN, KILLS, SEED, LOG = sys.argv[1:9]
SCALE, KILLS = float(SCALE), int(KILLS)
rng = random.Random(int(SEED))
points = json.loads(subprocess.run([f"{BIN}/coolplane", "points", "list", "--config", CONFIG, "--json"], check=True,
                                   capture_output=True).stdout)
by_name = {p["name"]: p for p in points}
remote = [p for p in points if p["role"] == "remote_status"]
watchdog_s = 60.0


def fail(text):
    print("FAIL:", text)
    sys.exit(1)


def status():
    run_dir = os.path.join(os.path.dirname(CONFIG), "run")
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(os.path.join(run_dir, "status.sock"))
            text = b""
            while chunk := s.recv(65536):
                text += chunk
        return json.loads(text)
    except (OSError, ValueError):
        return None


def query(sql):
    con = sqlite3.connect(f"file:{DB}?mode=ro", uri=True)
    try:
        return con.execute(sql).fetchall()
    finally:
        con.close()


def samples_stored():
    return query("SELECT count(*) FROM sample")[0][0] if os.path.exists(DB) else 0


acked_total = worst_local_s = 0
was_remote = 0
with open(LOG, "ab") as log:
    for k in range(KILLS):
        before = samples_stored()
        gate = subprocess.Popen([f"{BIN}/coolplaned", "--config", CONFIG, "--mode", "live", "--explore", "1h", "--time-scale",
                                 str(SCALE), "--time-origin", ORIGIN], stderr=log)
        try:
            lives_until = time.monotonic() + rng.uniform(0.05, 2.5)
            acked = 0
            while time.monotonic() < lives_until:
                st = status()
                if st:
                    acked = max(acked, st["samples_committed"])
                time.sleep(0.01)
            if gate.poll() is not None:
                fail(f"kill {k}: the gate had ended by itself with {gate.returncode}")
        finally:
            gate.kill()
            gate.wait()
        killed = time.monotonic()
        stored = samples_stored() - before
        if stored < acked:
            fail(f"kill {k}: {acked} samples acknowledged, {stored} stored")
        acked_total += acked
        torn = query("SELECT d.id FROM decision d LEFT JOIN decision_var v ON v.decision_id = d.id GROUP BY d.id "
                     "HAVING count(v.var) <> (SELECT max(n) FROM (SELECT count(*) AS n FROM decision_var GROUP BY "
                     "decision_id))")
        orphans = query("SELECT id FROM action WHERE why = 'decision' AND coalesce(decision_id, -1) NOT IN (SELECT id FROM decision)")
        if torn or orphans:
            fail(f"kill {k}: {len(torn)} torn decisions, {len(orphans)} actions without one")
        if query("PRAGMA quick_check")[0][0] != "ok":
            fail(f"kill {k}: quick_check")
        # timers are stored with every slow step, the tenth fast one, the first step among them; a kill may fall just before
        timers = query("SELECT t_ms, length(blob) FROM state WHERE name = 'equipment'")
        newer = query(f"SELECT count(*) FROM decision WHERE t_ms > {timers[0][0] if timers else 0}")[0][0]
        if newer > (10 if timers else 1):
            fail(f"kill {k}: {newer} decisions since equipment timers were stored {timers}")
        now_remote = [p for p in remote if read_point(p)[-1] != 0]
        was_remote += bool(now_remote)
        while now_remote:
            now_remote = [p for p in now_remote if read_point(p)[-1] != 0]
            local_s = (time.monotonic() - killed) * SCALE
            # a scan of ours and of the plant may lie between: 5 s of plant time and 50 ms of wall time
            if now_remote and local_s > watchdog_s + 5 + 0.05 * SCALE:
                fail(f"kill {k}: {now_remote[0]['name']} still remote {local_s:.0f} s after the kill")
            worst_local_s = max(worst_local_s, local_s)
            time.sleep(0.005)

lost = query("SELECT text FROM event WHERE text LIKE '%equipment timers%'")
if lost:
    fail(f"{lost[0][0]} ({len(lost)} times)")
jumps, checked = [], 0
SI = {"degC": 1, "deltaK": 1, "%": 0.01, "ratio": 1}
for name, confirmed, action in query("SELECT point, confirmed, action FROM v_setpoints WHERE confirmed IS NOT NULL"):
    p = by_name[name]
    if p["safe_dir"] == 0 or p["max_step"] is None:
        continue
    checked += 1
    less = (confirmed - action) * p["safe_dir"]  # SI, as stored
    if less > (p["max_step"] * 1.001 + p["resolution"]) * SI[p["unit"]]:
        jumps.append((name, confirmed, action))
if not checked:
    fail("no setpoint with a max_step was decided: the test shows nothing")
if jumps:
    fail(f"{len(jumps)} steps toward less cooling above max_step, first {jumps[0]}")
if was_remote == 0:
    fail("no kill found the plant under remote control: the test shows nothing")
print(f"PASS: {KILLS} kills, {was_remote} of them while remote, {acked_total} samples acknowledged and all stored, "
      f"{query('SELECT count(*) FROM decision')[0][0]} decisions whole, local after at most {worst_local_s:.0f} s of plant time")
