# SPDX-License-Identifier: Apache-2.0
"""Reads registers of a device of the printed site without any of our code: modbus_read.py POINTS_JSON POINT…

POINTS_JSON is `coolplane points list --json`. Prints one line a point: name and the raw unsigned registers."""
import json
import socket
import struct
import sys


def read(host, port, unit, function, address, count):
    with socket.create_connection((host, port), timeout=2) as s:
        s.sendall(struct.pack(">HHHBBHH", 7, 0, 6, unit, function, address, count))
        head = b""
        while len(head) < 9:
            got = s.recv(9 - len(head))
            if not got:
                raise OSError("closed")
            head += got
        if head[7] & 0x80:
            raise OSError(f"exception {head[8]}")
        body = b""
        while len(body) < head[8]:
            body += s.recv(head[8] - len(body))
        return list(struct.unpack(f">{count}H", body))


def read_point(p):
    function = {"holding": 3, "input": 4}[p["table"]]
    return read(p["host"], p["port"], p["unit_id"], function, p["address"], p.get("registers", 1))


if __name__ == "__main__":
    points = {p["name"]: p for p in json.load(open(sys.argv[1]))}
    for name in sys.argv[2:]:
        print(name, *read_point(points[name]))
