#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table and the page of demo.sh: joins what the plant accounted, what the gate decided and what training measured.

usage: demo_report.py WORK_DIR SHADOW_WRITES OUT_JSON OUT_HTML      exit 0 only if the run may be called clean
"""
import html
import json
import sqlite3
import sys
from pathlib import Path

DYGRAPH = Path("/usr/share/javascript/dygraphs")
COLUMNS = [("cooling_kwh", "cooling kWh", 0), ("it_kwh", "IT kWh", 0), ("it_fan_kwh", "server fans kWh", 0), ("total_kwh", "total kWh", 0),
           ("pue", "PUE", 3), ("cooling_per_it_kwh", "cooling per IT kWh", 4), ("max_inlet_c", "hottest inlet °C", 1),
           ("degmin27", "deg-min > 27", 0),
           ("hard_violations", "hard violations", 0), ("chiller_starts", "chiller starts", 0), ("migrations", "VM moves", 0)]
NAMES = {"b0": "fixed setpoints", "b2": "trim-and-respond", "b2v": "the same, VMs packed", "c0": "coolplane, no VM moves", "c": "coolplane"}


def decisions(db, start_ms):
    """Decisions by kind since the counted window began, and the most frequent reasons."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    kinds = dict(con.execute("SELECT decision, count(*) FROM v_decisions WHERE t_ms >= ? GROUP BY decision", (start_ms,)))
    reasons = con.execute("SELECT decision || ' ' || reason, count(*) FROM v_decisions WHERE t_ms >= ? GROUP BY 1 "
                          "ORDER BY 2 DESC LIMIT 8", (start_ms,)).fetchall()
    con.close()
    return kinds, reasons


def table(rows):
    head = ["controller"] + [label for _, label, _ in COLUMNS]
    body = [[NAMES[r["controller"]]] + [f"{r[key]:.{digits}f}" for key, _, digits in COLUMNS] for r in rows]
    width = [max(len(line[i]) for line in [head] + body) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, width)))
                     for line in [head] + body)


def against(rows, who, base):
    """One line: what WHO changes against BASE."""
    by = {r["controller"]: r for r in rows}
    change = lambda key: 100.0 * (by[who][key] / by[base][key] - 1.0)
    return "{:47s} cooling {:+.1f} %   total {:+.1f} %   cooling per IT kWh {:+.1f} %".format(
        f"{NAMES[who]} against {NAMES[base]}:", change("cooling_kwh"), change("total_kwh"), change("cooling_per_it_kwh"))


def chart(ident, title, labels, data, unit):
    return (f"<h2>{html.escape(title)}</h2><div id='{ident}' class='chart'></div><script>new Dygraph("
            f"document.getElementById('{ident}'), {json.dumps(data)}.map(r => [new Date(r[0]), ...r.slice(1)]), "
            f"{{labels: {json.dumps(['time'] + labels)}, ylabel: {json.dumps(unit)}, legend: 'always', "
            "labelsUTC: true, connectSeparatedPoints: true});</script>")


def page(report, text, series):
    css = (DYGRAPH / "dygraph.min.css").read_text()
    js = (DYGRAPH / "dygraph.min.js").read_text()
    body = [f"<h1>coolplane demo, site {html.escape(report['site'])}</h1><pre>{html.escape(text)}</pre>"]
    cols = series["columns"]
    at = {name: i for i, name in enumerate(cols)}
    pick = lambda names: [[row[at["t_ms"]]] + [row[at[n]] for n in names] for row in series["rows"]]
    body.append(chart("inlet", "Hottest rack inlet against its limits", ["hottest inlet", "recommended 27", "allowable 32"],
                      [r + [27, 32] for r in pick(["max_inlet_c"])], "°C"))
    body.append(chart("power", "Cooling power", ["CRAH fans", "chillers", "pumps", "towers"],
                      pick(["crah_fan_w", "chiller_w", "pump_w", "tower_w"]), "W"))
    body.append(chart("setpoints", "Setpoints", ["supply air", "chilled water", "condenser water"],
                      pick(["mean_sat_sp_c", "chwst_sp_c", "cwst_sp_c"]), "°C"))
    body.append(chart("fans", "Mean CRAH fan", ["fan"], pick(["mean_fan_ratio"]), "ratio"))
    body.append(chart("outdoor", "Outdoors", ["dry bulb", "wet bulb"], pick(["oat_c", "wetbulb_c"]), "°C"))
    return ("<!doctype html><meta charset='utf-8'><title>coolplane demo</title><style>" + css +
            "body{font:15px/1.4 system-ui,sans-serif;max-width:1250px;margin:2em auto;padding:0 1em}"
            "pre{overflow-x:auto;font-size:13px;background:#f4f4f4;padding:1em}.chart{width:100%;height:260px}</style><script>" + js +
            "</script>" + "".join(body))


def main():
    work, writes, out_json, out_html = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    plant = json.loads((work / "plant.json").read_text())
    model = json.loads((work / "model.json").read_text())
    status = json.loads((work / "status.json").read_text())
    baselines = json.loads((work / "baselines.json").read_text())
    rows = (baselines["rows"] if isinstance(baselines, dict) else baselines) + [dict(plant["account"], controller="c")]
    kinds, reasons = decisions(work / "site" / "coolplane.db", plant["window_start_ms"])

    takeover = [r for r in rows if r["controller"] in ("c0", "c")]
    lines = [table(rows), "",
             "IT kWh counts with its server fans in PUE and in cooling per IT kWh. VM moves empty hosts that then sleep: they lower IT, and with",
             "it cooling. So compare like with like: trim-and-respond with coolplane without VM moves, and trim-and-respond with a plain VM",
             "consolidation (best fit, blind to heat) with coolplane. All but the last row in process in virtual time: same weather and load.",
             "Hard violations are counted at every step of the plant (5 s): racks above 32 °C, freezing, orders a chiller may not follow.",
             "From take-over on, identification included: " +
             ", ".join(f"{NAMES[r['controller']]} {r['hard_violations_since_takeover']}" for r in takeover),
             against(rows, "c", "b0"), against(rows, "c", "b2v"), against(rows, "c0", "b0"), against(rows, "c0", "b2"),
             "decisions: " + ", ".join(f"{k.lower()} {n}" for k, n in sorted(kinds.items())),
             "most frequent: " + "; ".join(f"{r} ({n})" for r, n in reasons),
             f"shadow: {writes} write requests reached the plant",
             "identified model on the hold-out (last 30 %, chronological):"]
    for kind, e in model.get("holdout", {}).items():
        lines.append("  {:7s} one step {:.3f}, 5 min {:.3f} (persistence {:.3f}), 15 min {:.3f} (persistence {:.3f}) {}".format(
            kind, e["rmse_1"], e["rmse_5min"], e["persistence_5min"], e["rmse_15min"], e["persistence_15min"], e["unit"]) +
            (": worse than persistence" if e["rmse_15min"] > e["persistence_15min"] else ""))
    text = "\n".join(lines)
    print(text)

    count = lambda r: max(r["hard_violations"], r["hard_violations_since_takeover"])
    failures = [f"{count(r)} hard violations from take-over on, {NAMES[r['controller']]}" for r in takeover if count(r)]
    if writes != 0:
        failures.append(f"{writes} writes in shadow")
    if not status.get("planner"):
        failures.append("the planner was not connected at the end")
    for b in plant.get("breaches", []):
        failures.append(f"{b['at']}: {b['rule']}, {b['steps']} times from {b['first']} on, worst {b['worst']:g}")
    report = {"site": status["site"], "rows": rows, "decisions": kinds, "shadow_writes": writes, "model": model,
              "failures": failures}
    Path(out_json).write_text(json.dumps(report, indent=1) + "\n")
    Path(out_html).write_text(page(report, text, plant["series"]))
    print(f"wrote {out_html} and {out_json}")
    for f in failures:
        print("demo failed:", f, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
