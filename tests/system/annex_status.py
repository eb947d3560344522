# SPDX-License-Identifier: Apache-2.0
"""Who controls the annex: prints remote or local. annex_status.py PORT"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from modbus_read import read  # noqa: E402

print("remote" if read("127.0.0.1", int(sys.argv[1]), 17, 3, 103, 1)[0] else "local")
