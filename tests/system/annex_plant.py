# SPDX-License-Identifier: Apache-2.0
"""The annex: a small plant with its own Modbus TCP server, written without any of coolplane's code.

annex_plant.py PORT_FILE SCALE [LINK]: binds a free port, writes it to PORT_FILE, runs until ended; with LINK also serves
a serial line. Unit 17 is the BMS, unit 200 the meters; tests/data/annex describes the registers. Three units blow air at
their setpoint; five racks warm it."""
import os
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


def answer(unit, pdu):
    fn = pdu[0]
    with lock:
        if fn in (3, 4):
            a, c = struct.unpack(">HH", pdu[1:5])
            regs = image(unit)
            vals = [regs.get((fn, a + k)) for k in range(c)]
            return bytes([fn | 0x80, 2]) if None in vals else bytes([fn, 2 * c]) + struct.pack(f">{c}H", *vals)
        if fn == 16:
            a, c, _ = struct.unpack(">HHB", pdu[1:6])
            ex = write(unit, a, struct.unpack(f">{c}H", pdu[6:6 + 2 * c]), time.monotonic() * SCALE)
            return bytes([fn | 0x80, ex]) if ex else pdu[:5]
        return bytes([fn | 0x80, 1])


def crc(data):
    c = 0xFFFF
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ 0xA001 if c & 1 else c >> 1
    return struct.pack("<H", c)


def serve_line(link):
    """The same units on a serial line: a pty, at the symbolic link LINK. A unit with a file LINK.silent-UNIT hears and does
    not answer. Each request is a line "UNIT FUNCTION" in LINK.log."""
    import pty
    import tty
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.symlink(os.ttyname(slave), link)
    buf = b""
    with open(link + ".log", "w", buffering=1) as log:
        while True:
            buf += os.read(master, 4096)
            while len(buf) >= 8:
                n = 9 + buf[6] if buf[1] == 16 else 8
                if len(buf) < n:
                    break
                req, buf = buf[:n], buf[n:]
                if crc(req[:-2]) != req[-2:]:
                    print("bad CRC", req.hex(), file=log)
                    buf = b""
                    break
                print(req[0], req[1], file=log)
                if not os.path.exists(f"{link}.silent-{req[0]}"):
                    reply = req[:1] + answer(req[0], req[1:-2])
                    os.write(master, reply + crc(reply))


def serve(conn):
    buf = b""
    with conn:
        while data := conn.recv(4096):
            buf += data
            while len(buf) >= 8 and len(buf) >= 6 + struct.unpack(">H", buf[4:6])[0]:
                n = 6 + struct.unpack(">H", buf[4:6])[0]
                req, buf = buf[:n], buf[n:]
                unit = req[6]
                body = answer(unit, req[7:])
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
if len(sys.argv) > 3:
    threading.Thread(target=serve_line, args=(sys.argv[3],), daemon=True).start()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
