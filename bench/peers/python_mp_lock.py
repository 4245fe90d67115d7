"""Nanoseconds for acquire and release of a free multiprocessing.Lock: a JSON array, one figure per round."""

import json
import multiprocessing
import time

TURNS = 300_000


def measure(lock):
    start = time.perf_counter_ns()
    for _ in range(TURNS):
        lock.acquire()
        lock.release()
    return (time.perf_counter_ns() - start) / TURNS


if __name__ == "__main__":
    lock = multiprocessing.Lock()
    measure(lock)
    print(json.dumps([measure(lock) for _ in range(7)]))
