"""CPython's multiprocessing.Queue from one process to another: nanoseconds per item, for each kind of item a JSON array of rounds.

Argument: the kind, and how many items a round has. The clock runs from the moment both are ready until the last item has come.
"""

import json
import multiprocessing
import sys
import time

KINDS = {
    "number": 12345,
    "object": {"id": 1, "name": "a small object", "done": False, "at": [1, 2]},
    "64 KiB": b"x" * 65536,
    "1 MiB": b"x" * 1048576,
}


def produce(queue, gate, kind, count, rounds):
    item = KINDS[kind]
    for _ in range(rounds):
        gate.acquire()
        for _ in range(count):
            queue.put(item)


def main():
    kind, count = sys.argv[1], int(sys.argv[2])
    queue = multiprocessing.Queue()
    gate = multiprocessing.Semaphore(0)
    child = multiprocessing.Process(target=produce, args=(queue, gate, kind, count, 8))
    child.start()
    rounds = []
    for _ in range(8):
        start = time.perf_counter_ns()
        gate.release()
        for _ in range(count):
            queue.get()
        rounds.append((time.perf_counter_ns() - start) / count)
    child.join()
    print(json.dumps(rounds[1:]))


if __name__ == "__main__":
    main()
