"""The process list as psutil gives it: each line on standard input is one list, answered by one line of JSON. The
attributes are what procmond records. psutil keeps what it knows of a process between lists, and Python's start is not counted."""
import json
import resource
import sys
import time

import psutil

ATTRIBUTES = ["pid", "ppid", "name", "exe", "cmdline", "uids", "status", "create_time", "cpu_times", "memory_info"]


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e3


for _ in sys.stdin:
    cpu, wall = cpu_ms(), time.monotonic()
    processes = [process.info for process in psutil.process_iter(ATTRIBUTES)]
    print(json.dumps({"cpuMs": cpu_ms() - cpu, "wallMs": (time.monotonic() - wall) * 1e3, "count": len(processes)}), flush=True)
