# SPDX-License-Identifier: Apache-2.0
"""The annex: a small plant with its own Modbus TCP server, written without any of coolplane's code.

annex_plant.py PORT_FILE SCALE: binds a free port, writes it to PORT_FILE, runs until ended. Unit 17 is the BMS, unit 200
the meters; tests/data/annex describes the registers. Three units blow air at their setpoint; five racks warm it."""
import socket
import struct
import sys
import threading
import time

SCALE = float(sys.argv[2])
LOCAL_SP, LOCAL_FAN, WATCHDOG_S = 640, 90, 60.0
lock = threading.Lock()
units = [{"sat": 64.0, "sp": LOCAL_SP, "fan": LOCAL_FAN} for _ in range(3)]
inlet_f = [70.0] * 5
rack_kw = [4.1, 5.2, 3.3, 6.0, 2.4]
sup = {"beat": 0, "enable": 0, "changed": 0.0, "remote": False}


def step(dt, now):
    sup["remote"] = bool(sup["enable"]) and now - sup["changed"] < WATCHDOG_S
    for u in units:
        if not sup["remote"]:
            u["sp"], u["fan"] = LOCAL_SP, LOCAL_FAN
        u["sat"] += (u["sp"] / 10 - u["sat"]) * min(1, dt / 40)
    flow = sum(u["fan"] / 100 * a for u, a in zip(units, (2.5, 2.5, 1.8)))
    mean = sum(u["fan"] * a * u["sat"] for u, a in zip(units, (2.5, 2.5, 1.8))) / sum(
        u["fan"] * a for u, a in zip(units, (2.5, 2.5, 1.8)))
    for i, kw in enumerate(rack_kw):
        rise = 1.8 * (0.35 * sum(rack_kw) * 1000 / (1206 * flow) + 0.2 * kw)
        inlet_f[i] += (mean + rise - inlet_f[i]) * min(1, dt / 120)


def words(fmt, v, order):
    b = struct.pack(">" + fmt, v)
    b = bytes(b["ABCD".index(c)] for c in order)
    return list(struct.unpack(">2H", b))


def image(unit):
    """(function, address) -> register, or None for an illegal address."""
    regs = {}
    if unit == 17:
        for i, u in enumerate(units):
            base = 20 * i
            power_return = u["sat"] + 16
            regs[3, base] = round(u["sat"] * 10) & 0xFFFF
            regs[3, base + 1] = round(power_return * 10) & 0xFFFF
            regs[3, base + 4], regs[3, base + 5] = u["sp"], u["fan"]
        regs[3, 100], regs[3, 101], regs[3, 102], regs[3, 103] = sup["beat"], sup["beat"], sup["enable"], int(sup["remote"])
        for k in range(5):
            regs[4, 10 + 2 * k], regs[4, 11 + 2 * k] = words("f", inlet_f[k], "DCBA")
    if unit == 200:
        for i, u in enumerate(units):
            rated = (2200, 2200, 1500)[i]
            regs[4, 100 + 2 * i], regs[4, 101 + 2 * i] = words("I", round(rated * (u["fan"] / 100) ** 3), "CDAB")
        for k in range(5):
            regs[4, 200 + k] = round(rack_kw[k] * 100)
    return regs


def write(unit, address, values, now):
    if unit != 17:
        return 2
    for k, v in enumerate(values):
        a = address + k
        if a == 100:
            if v != sup["beat"]:
                sup["beat"], sup["changed"] = v, now
        elif a == 102:
            sup["enable"] = v
        elif a < 60 and a % 20 in (4, 5):
            u = units[a // 20]
            if a % 20 == 4 and not 600 <= v <= 770 or a % 20 == 5 and not 40 <= v <= 100:
                return 3
            u["sp" if a % 20 == 4 else "fan"] = v
        else:
            return 2
    return 0


def serve(conn):
    buf = b""
    with conn:
        while data := conn.recv(4096):
            buf += data
            while len(buf) >= 8 and len(buf) >= 6 + struct.unpack(">H", buf[4:6])[0]:
                n = 6 + struct.unpack(">H", buf[4:6])[0]
                req, buf = buf[:n], buf[n:]
                unit, fn = req[6], req[7]
                with lock:
                    if fn in (3, 4):
                        a, c = struct.unpack(">HH", req[8:12])
                        regs = image(unit)
                        vals = [regs.get((fn, a + k)) for k in range(c)]
                        body = (bytes([fn | 0x80, 2]) if None in vals
                                else bytes([fn, 2 * c]) + struct.pack(f">{c}H", *vals))
                    elif fn == 16:
                        a, c, _ = struct.unpack(">HHB", req[8:13])
                        ex = write(unit, a, struct.unpack(f">{c}H", req[13:13 + 2 * c]), time.monotonic() * SCALE)
                        body = bytes([fn | 0x80, ex]) if ex else req[7:12]
                    else:
                        body = bytes([fn | 0x80, 1])
                conn.sendall(req[:4] + struct.pack(">HB", len(body) + 1, unit) + body)


def clock():
    last = time.monotonic()
    while True:
        time.sleep(0.02)
        now = time.monotonic()
        with lock:
            step((now - last) * SCALE, now * SCALE)
        last = now


listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1], "w") as f:
    f.write(str(listener.getsockname()[1]))
threading.Thread(target=clock, daemon=True).start()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
