"""CPython's queue.Queue within one thread: nanoseconds per item that is put and taken, as a JSON array of rounds."""

import json
import queue
import time

COUNT = 100_000
rounds = []
for _ in range(8):
    q = queue.Queue()
    start = time.perf_counter_ns()
    for i in range(COUNT):
        q.put(i)
        q.get()
    rounds.append((time.perf_counter_ns() - start) / COUNT)
print(json.dumps(rounds[1:]))
