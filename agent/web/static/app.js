/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The console's page. Reads /api/ every few seconds; text goes in by textContent only; times are UTC, local in the
 * tooltip. No inline style or script: the page runs under Content-Security-Policy default-src 'self'. */
"use strict";

const el = (id) => document.getElementById(id);
const STATUS_MS = 3000, TABLES_MS = 5000, SERIES_MS = 10000;
/* Its legend measures itself with an inline style, which the policy above refuses; ours is plain text beside the chart. */
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((p) => p !== Dygraph.Plugins.Legend);
let hours = 6, limits = null, columns = [], rows = [], charts = {};

/* ---- words and numbers ---- */

const isNum = (v) => typeof v === "number" && isFinite(v);
const fixed = (v, n) => (isNum(v) ? v.toFixed(n) : "–");
const celsius = (v) => (isNum(v) ? v.toFixed(1) + " °C" : "–");
const kelvin = (v) => (isNum(v) ? (v >= 0 ? "" : "−") + Math.abs(v).toFixed(2) + " K" : "–");
const kw = (w) => (isNum(w) ? (w / 1000).toFixed(Math.abs(w) >= 1e5 ? 0 : 1) + " kW" : "–");
const shortName = (name) => name.split("/").slice(1).join(" / ") || name;
const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
const sumOf = (list) => (list.some(isNum) ? list.filter(isNum).reduce((a, b) => a + b, 0) : null);

function utc(t, withDate) {
  const iso = new Date(t).toISOString();
  return (withDate ? iso.slice(0, 10) + " " : "") + iso.slice(11, 19);
}

function timeNode(t, withDate) {
  const node = document.createElement("time");
  node.dateTime = new Date(t).toISOString();
  node.textContent = utc(t, withDate);
  node.title = "local time: " + new Date(t).toLocaleString();
  return node;
}

function bytes(n) {
  const unit = ["B", "KiB", "MiB", "GiB", "TiB"];
  let k = 0;
  while (n >= 1024 && k < unit.length - 1) { n /= 1024; k++; }
  return n.toFixed(k ? 1 : 0) + " " + unit[k];
}

function node(tag, text, cls) {
  const n = document.createElement(tag);
  if (text !== undefined && text !== null) n.textContent = text;
  if (cls) n.className = cls;
  return n;
}

async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (answer.status === 503) return null; /* no data yet */
  if (!answer.ok) throw new Error(path + ": " + answer.status);
  return answer.json();
}

/* ---- status ---- */

const modes = {
  SHADOW: ["ok", "decides, writes nothing"],
  ACTIVE: ["ok", ""],
  HOLD: ["warn", "holds the present setpoints"],
  FALLBACK: ["bad", "runs on fallback setpoints"],
  RELEASE: ["bad", "has handed the plant back to its local controls"],
};

function big(id, text, cls) {
  el(id).textContent = text;
  el(id).className = "big" + (cls ? " " + cls : "");
}

function showMode(s) {
  const g = s.gate.status, badge = el("mode");
  if (!g) {
    badge.textContent = "gate " + s.gate.link;
    badge.className = "mode bad";
    el("headline").textContent = "";
    return;
  }
  const [cls, what] = modes[g.mode] || ["unknown", ""];
  badge.textContent = g.mode;
  badge.className = "mode " + cls;
  const why = g.reason + (g.binding ? " at " + shortName(g.binding) : "");
  let text = what;
  if (g.mode === "ACTIVE")
    text = g.decision === "accept" ? "runs the planner's proposal, certified" : "runs the planner's proposal as corrected: " + why;
  else if (g.mode !== "SHADOW" && g.reason) text += ": " + why;
  if (g.exploring) text += "; identifying the plant";
  el("headline").textContent = text;
}

function cycleLate(s) {
  return isNum(s.gate.cycle_seen_s) && s.gate.cycle_seen_s > (2 * s.fast_step_s) / s.time_scale + 5;
}

function showNotice(s) {
  const n = el("notice");
  const last = s.database.last_t_ms;
  let text = "", bad = !s.gate.status || cycleLate(s) || s.inlet.max_c > s.limits.inlet_allowable_c;
  if (!s.gate.status)
    text = "The gate is " + s.gate.link + (last ? ". What is shown was last stored at " + utc(last, true) + " UTC." : ".");
  else if (cycleLate(s))
    text = "No control cycle has completed for " + s.gate.cycle_seen_s.toFixed(0) + " s.";
  if (isNum(s.inlet.max_c) && s.inlet.max_c > s.limits.inlet_recommended_c)
    text += (text ? " " : "") + plural(s.inlet.above_recommended, "inlet") + " above the recommended " + celsius(s.limits.inlet_recommended_c) + ".";
  if (!s.database.open) text += (text ? " " : "") + "No data yet: " + s.database.error + ".";
  if (n.textContent !== text) n.textContent = text;
  n.className = "notice " + (bad ? "bad" : "warn");
  n.hidden = text === "";
}

/* Nothing is certified before a row of the model is fitted. */
function uncertified(g) {
  return g.model_rows > 0 && g.model_rows_fitted === 0;
}

function showTiles(s) {
  const g = s.gate.status, i = s.inlet, p = s.power;
  big("inlet-max", celsius(i.max_c),
    !isNum(i.max_c) ? "" : i.max_c > s.limits.inlet_allowable_c ? "is-bad" : i.max_c > s.limits.inlet_recommended_c ? "is-warn" : "");
  el("inlet-note").textContent = i.total === 0 ? "no inlet sensor in the site file" : i.reporting === 0 ? "no data yet" :
    (i.hottest.length ? shortName(i.hottest[0].point) + " · " : "") + "recommended up to " + celsius(s.limits.inlet_recommended_c) +
    " · median " + celsius(i.median_c) + " · " + i.reporting + " of " + i.total + " report";
  el("inlet-note").title = i.hottest.map((h) => h.point + " " + celsius(h.value_c)).join("\n");
  const margin = g && !uncertified(g) ? g.margin_k : null;
  big("margin", kelvin(margin), isNum(margin) && margin < 0 ? "is-bad" : "");
  el("margin-note").textContent = !g ? "the gate is " + s.gate.link : isNum(margin)
    ? (margin < 0 ? "the computed worst case is beyond its limit" : "from the computed worst case to its limit")
    : uncertified(g) ? "not certified yet: 0 of " + g.model_rows + " rows fitted" : "not computed yet";
  const cooling = sumOf([p.crah_w, p.chiller_w, p.tower_w, p.pump_w]);
  big("cooling", kw(cooling));
  el("cooling-note").textContent = cooling === null ? "no data yet" :
    isNum(p.it_w) && p.it_w > 0 ? ((100 * cooling) / p.it_w).toFixed(1) + " % of IT power" : "";
  big("it", kw(p.it_w));
  el("it-note").textContent = isNum(p.it_w) ? "server fans included" : "no data yet";
  el("power-note").textContent = p.total === 0 ? "No power meter in the site file." : p.reporting + " of " + p.total +
    " power meters report; sums are of those." + (isNum(p.meter_w) ? " Facility meter: " + kw(p.meter_w) + "." : "");
}

function chip(text, cls, title) {
  const li = node("li", text, cls);
  if (title) li.title = title;
  return li;
}

function deviceList(devices) {
  const table = node("table"), head = node("tr"), body = node("tbody"), thead = node("thead");
  for (const h of ["Device", "State", "Time-outs", "Read errors", "Last error"]) {
    const th = node("th", h);
    th.scope = "col";
    head.append(th);
  }
  for (const d of devices) {
    const tr = node("tr");
    tr.append(node("td", d.name), node("td"), node("td", d.timeouts), node("td", d.read_errors),
      node("td", d.last_error, "wrap"));
    tr.children[1].append(node("span", d.state, "tag " + (d.state === "down" ? "bad" : "warn")));
    body.append(tr);
  }
  thead.append(head);
  table.append(thead, body);
  return table;
}

function showHealth(s) {
  const g = s.gate.status, list = [], db = s.database;
  list.push(chip("gate " + s.gate.link, g ? "ok" : "bad"));
  if (g) {
    list.push(isNum(s.gate.cycle_seen_s)
      ? chip("cycle " + g.step + ", " + Math.round(s.gate.cycle_seen_s) + " s ago", cycleLate(s) ? "bad" : "ok")
      : chip("no cycle yet", "warn"));
    list.push(chip(g.planner ? "planner connected" : "no planner", g.planner ? "ok" : "warn"));
    if (g.mqtt) list.push(chip(g.mqtt.connected ? "broker connected" : "broker lost", g.mqtt.connected ? "ok" : "bad",
      g.mqtt.last_error));
    const devices = g.devices || [], count = (state) => devices.filter((d) => d.state === state).length;
    if (devices.length) {
      list.push(chip(plural(count("up"), "device") + " up", "ok"));
      if (count("degraded")) list.push(chip(count("degraded") + " degraded", "warn"));
      if (count("down")) list.push(chip(count("down") + " down", "bad"));
    }
    if (g.model_rows) list.push(chip("model " + g.model_rows_fitted + " of " + g.model_rows + " rows fitted" +
      (isNum(g.model_rmse_c) ? ", error " + g.model_rmse_c.toFixed(3) + " K" : ""), "unknown",
      "interval model of the safety layer; median one-step error of its inlet rows"));
  }
  if (g && g.fixed && g.fixed.length)
    list.push(chip(plural(g.fixed.length, "setpoint") + " not ours to move", "warn",
      g.fixed.map((f) => shortName(f.point) + ": " + f.reason).join("\n")));
  const p = s.points, wrong = p.bad + p.uncertain;
  if (db.open) {
    list.push(wrong || p.no_sample_yet
      ? chip(p.good + " of " + p.total + " points good", wrong ? "warn" : "unknown")
      : chip("all " + p.total + " points good" + (g ? "" : " when last stored"), g ? "ok" : "unknown"));
    list.push(chip("database " + bytes(db.bytes) + ", " + db.samples.toLocaleString("en") + " samples", "unknown",
      db.first_t_ms ? "from " + utc(db.first_t_ms, true) + " UTC" : ""));
  } else {
    list.push(chip("database not there yet", "warn", db.error));
  }
  el("health").replaceChildren(...list);
  const trouble = [], sick = ((g && g.devices) || []).filter((d) => d.state !== "up");
  if (sick.length) trouble.push(deviceList(sick));
  if (p.not_good.length)
    trouble.push(node("p", "Not good: " + p.not_good.slice(0, 8).map((x) => shortName(x.point) + " (" + x.reason + ")").join(", ") +
      (wrong > 8 ? " and " + (wrong - 8) + " more" : "") + ".", "quiet"));
  el("trouble").replaceChildren(...trouble);
}

function showStatus(s) {
  const first = limits === null;
  limits = s.limits;
  el("site").textContent = s.site;
  document.title = s.site + " · coolplane";
  el("version").textContent = s.version;
  const t = s.database.last_t_ms;
  el("clock").replaceChildren(...(t ? ["newest data ", timeNode(t, true), " UTC"] : ["no data yet"]));
  showMode(s);
  showNotice(s);
  showTiles(s);
  showHealth(s);
  if (first) drawAll();
}

/* ---- tables ---- */

function fill(id, list, width, make, empty) {
  const body = el(id);
  if (!list || list.length === 0) {
    const td = node("td", empty, "none"), tr = node("tr");
    td.colSpan = width;
    tr.append(td);
    body.replaceChildren(tr);
    return;
  }
  body.replaceChildren(...list.map(make));
}

const kindClass = { ACCEPT: "ok", PROJECT: "warn", HOLD: "warn", FALLBACK: "bad" };

function decisionRow(d) {
  const tr = node("tr"), cell = (text, cls) => { const td = node("td", text, cls); tr.append(td); return td; };
  cell("").append(timeNode(d.t_ms, true));
  cell(d.step);
  cell(d.mode);
  cell("").append(node("span", d.decision, "tag " + (kindClass[String(d.decision).toUpperCase()] || "unknown")));
  cell(d.reason);
  cell(d.binding ? shortName(d.binding) : "").title = d.binding;
  cell(kelvin(d.margin), "num");
  cell(celsius(d.worst_inlet_c), "num");
  cell(isNum(d.predicted_w) ? (d.predicted_w / 1000).toFixed(1) + (isNum(d.predicted_std_w)
    ? " ± " + (d.predicted_std_w / 1000).toFixed(1) : "") + " kW" : "–", "num");
  cell(d.move, "wrap");
  return tr;
}

const severityClass = { emergency: "bad", alert: "bad", critical: "bad", error: "bad", warning: "warn" };

function eventRow(e) {
  const tr = node("tr");
  const when = node("td"), sev = node("td");
  when.append(timeNode(e.t_ms, true));
  sev.append(node("span", e.severity, "tag " + (severityClass[e.severity] || "unknown")));
  tr.append(when, sev, node("td", e.component), node("td", e.text, "wrap"));
  return tr;
}

async function readTables() {
  const d = await get("/api/decisions?limit=20"), e = await get("/api/events?limit=20&severity=5");
  fill("decisions", d && d.rows, 10, decisionRow, "no decision yet");
  fill("events", e && e.rows, 4, eventRow, "nothing so far");
}

/* ---- charts ---- */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const col = (name) => columns.indexOf(name);
const at = (row, name) => row[col(name)];
const scaled = (row, name, k) => (isNum(at(row, name)) ? at(row, name) * k : null);
const same = (v) => [v, v, v];

/* What each chart shows: series {label, key class, value of a row}, how to print a value. */
const specs = {
  inlets: {
    series: [["hottest", 1, (r) => at(r, "inlet_max_c")], ["median", 2, (r) => at(r, "inlet_median_c")]],
    print: celsius, ylabel: "°C", limits: () => [["recommended", limits.inlet_recommended_c, "--warn", "l-max"],
      ["allowable", limits.inlet_allowable_c, "--bad", "l-trip"]],
    options: { strokeWidth: 2 }, few: 2,
  },
  air: {
    series: [
      ["supply air setpoint, mean (band: lowest to highest)", 2,
        (r) => [at(r, "sat_sp_min_c"), at(r, "sat_sp_mean_c"), at(r, "sat_sp_max_c")]],
      ["fans, mean (right)", 4, (r) => same(scaled(r, "fan_mean_ratio", 100))]],
    prints: [celsius, (v) => fixed(v, 0) + " %"], ylabel: "°C", bars: true, few: 2,
    options: { y2label: "%", axes: { y2: { valueRange: [0, 105], drawGrid: false, independentTicks: true } } }, right: 1,
  },
  water: {
    series: [["chilled setpoint", 2, (r) => at(r, "chwst_sp_c")], ["chilled", 5, (r) => at(r, "chwst_c")],
      ["condenser setpoint", 4, (r) => at(r, "cwst_sp_c")], ["condenser", 3, (r) => at(r, "cwst_c")]],
    print: celsius, ylabel: "°C", options: {}, few: 2,
  },
  cooling: {
    series: [["air handlers", 2, (r) => scaled(r, "crah_w", 1e-3)], ["chillers", 3, (r) => scaled(r, "chiller_w", 1e-3)],
      ["towers", 4, (r) => scaled(r, "tower_w", 1e-3)], ["pumps", 5, (r) => scaled(r, "pump_w", 1e-3)]],
    print: (v) => fixed(v, 1) + " kW", ylabel: "kW", options: { stackedGraph: true }, zero: true, few: 2,
  },
  total: {
    series: [["cooling", 2, (r) => { const v = sumOf(["crah_w", "chiller_w", "tower_w", "pump_w"].map((c) => at(r, c)));
      return v === null ? null : v / 1000; }], ["IT", 5, (r) => scaled(r, "it_w", 1e-3)]],
    print: (v) => fixed(v, 1) + " kW", ylabel: "kW", options: { stackedGraph: true }, zero: true, few: 2,
  },
};

const known = (v) => (Array.isArray(v) ? v.some(isNum) : isNum(v));

function legend(name, used, x, values) {
  const spec = specs[name], box = el("legend-" + name), parts = [];
  parts.push(node("span", x === null ? "" : utc(x, true) + " UTC"));
  used.forEach((s, i) => {
    const item = node("span"), print = spec.prints ? spec.prints[spec.series.indexOf(s)] : spec.print;
    item.append(node("span", "", "key k" + s[1]), s[0] + " ");
    if (values && known(values[i])) item.append(node("b", print(Array.isArray(values[i]) ? values[i][1] : values[i])));
    parts.push(item);
  });
  if (spec.limits && limits) for (const [label, v, , cls] of spec.limits()) {
    const item = node("span");
    item.append(node("span", "", "key limit " + cls), label + " ", node("b", celsius(v)));
    parts.push(item);
  }
  if (x === null) parts.shift();
  box.replaceChildren(...parts);
}

function range(spec, data) {
  let lo = Infinity, hi = -Infinity;
  for (const r of data) for (const v of r.slice(1).flat()) if (isNum(v)) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
  if (spec.limits) for (const [, v] of spec.limits()) hi = Math.max(hi, v);
  return [Math.floor(lo - 0.5), Math.ceil(hi + 0.5)];
}

function underlay(spec) {
  if (!spec.limits) return undefined;
  return (ctx, area, g) => {
    for (const [, v, colour] of spec.limits()) {
      const y = g.toDomYCoord(v);
      if (y < area.y || y > area.y + area.h) continue;
      ctx.save();
      ctx.strokeStyle = css(colour);
      ctx.lineWidth = 2;
      ctx.setLineDash([6, 4]);
      ctx.beginPath();
      ctx.moveTo(area.x, y);
      ctx.lineTo(area.x + area.w, y);
      ctx.stroke();
      ctx.restore();
    }
  };
}

function drop(name) {
  if (charts[name]) charts[name].g.destroy();
  delete charts[name];
}

function draw(name) {
  const spec = specs[name], box = el("chart-" + name);
  const used = spec.series.filter((s) => rows.some((r) => known(s[2](r))));
  const signature = used.map((s) => s[0]).join("|");
  if (used.length === 0 || rows.length < spec.few) {
    drop(name);
    el("legend-" + name).replaceChildren();
    box.classList.add("empty");
    box.textContent = rows.length < spec.few ? "no data yet" : "no point of this kind has reported in this span";
    return;
  }
  const file = rows.map((r) => [new Date(r[0]), ...used.map((s) => { const v = s[2](r); return v === undefined ? null : v; })]);
  const options = { file };
  if (spec.limits) options.valueRange = range(spec, file);
  if (charts[name] && charts[name].signature === signature) {
    charts[name].data = file;
    charts[name].g.updateOptions(options);
    if (!charts[name].hover) legend(name, used, null, file[file.length - 1].slice(1));
    return;
  }
  drop(name);
  box.classList.remove("empty");
  box.replaceChildren();
  const one = { signature, hover: false, data: file };
  const series = {};
  if (spec.right !== undefined && used.includes(spec.series[spec.right]) && used.length > 1)
    series[spec.series[spec.right][0]] = { axis: "y2" };
  const axes = spec.options.axes || {};
  one.g = new Dygraph(box, file, {
    labels: ["time", ...used.map((s) => s[0])], colors: used.map((s) => css("--s" + s[1])), labelsUTC: true,
    legend: "never", animatedZooms: false, strokeWidth: 1.6, fillAlpha: 0.35, highlightCircleSize: 3, gridLineColor: css("--grid"),
    axisLineColor: css("--line"), ylabel: spec.ylabel, includeZero: !!spec.zero, customBars: !!spec.bars,
    valueRange: options.valueRange || null, underlayCallback: underlay(spec), rightGap: 12, ...spec.options,
    axes: { x: { axisLabelWidth: 70 }, y: { axisLabelWidth: 42 }, ...(Object.keys(series).length ? axes : {}) }, series,
    y2label: Object.keys(series).length ? spec.options.y2label : undefined,
    highlightCallback: (event, x, points, row) => { one.hover = true; legend(name, used, x, one.data[row].slice(1)); },
    unhighlightCallback: () => { one.hover = false; legend(name, used, null, one.data[one.data.length - 1].slice(1)); },
  });
  charts[name] = one;
  legend(name, used, null, file[file.length - 1].slice(1));
}

function drawAll() {
  if (!limits) return;
  for (const name of Object.keys(specs)) draw(name);
}

async function readSeries() {
  const asked = hours, s = await get("/api/series?hours=" + asked);
  if (asked !== hours) return true;
  columns = s ? s.columns : [];
  rows = s ? s.rows : [];
  drawAll();
  return s !== null && !s.complete;
}

/* ---- running ---- */

const timers = {}, turns = {};

function every(name, ms, fn) {
  const mine = (turns[name] = (turns[name] || 0) + 1); /* a later call takes over from this one */
  const turn = async () => {
    let again = false;
    if (!document.hidden) {
      try {
        again = await fn();
      } catch (error) {
        el("notice").textContent = "The console does not answer; what is shown is old.";
        el("notice").className = "notice bad";
        el("notice").hidden = false;
      }
    }
    if (turns[name] === mine) timers[name] = setTimeout(turn, again ? 200 : ms);
  };
  clearTimeout(timers[name]);
  turn();
}

function choose(h) {
  hours = h;
  for (const b of document.querySelectorAll("#span button"))
    b.setAttribute("aria-pressed", String(Number(b.dataset.hours) === h));
  for (const name of Object.keys(specs)) drop(name);
  every("series", SERIES_MS, readSeries);
}

for (const b of document.querySelectorAll("#span button")) b.addEventListener("click", () => choose(Number(b.dataset.hours)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const name of Object.keys(specs)) drop(name);
  drawAll();
});
const start = () => {
  every("status", STATUS_MS, async () => showStatus(await get("/api/status")));
  every("tables", TABLES_MS, readTables);
  choose(hours);
};
document.addEventListener("visibilitychange", () => { if (!document.hidden) start(); });
start();
