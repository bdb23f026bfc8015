#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""alerts.py MODEL TRACE: the alerts of a trace, one line each, by libiovm."""
import ctypes
import json
import sys

iovm = ctypes.CDLL("libiovm.so.0")
LINE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
iovm.iovm_error.restype = ctypes.c_char_p
iovm.iovm_model_open.restype = iovm.iovm_trace_open.restype = ctypes.c_void_p
iovm.iovm_detect.argtypes = [ctypes.c_void_p, ctypes.c_void_p, LINE, LINE, ctypes.c_void_p]
iovm.iovm_detect.restype = ctypes.c_long


@LINE
def alert(_user, line, _length):
    found = json.loads(line)
    print(found["rule"]["name"], "at", found["@timestamp"])
    return 0


model = iovm.iovm_model_open(sys.argv[1].encode())
trace = iovm.iovm_trace_open(sys.argv[2].encode()) if model else None
alerts = iovm.iovm_detect(trace, model, alert, LINE(), None) if trace else -1
sys.exit(f"alerts.py: {iovm.iovm_error().decode()}" if alerts < 0 else 0)
