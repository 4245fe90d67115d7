"""Calls of proxies of a manager, in microseconds each. A line on standard input asks for a round of one kind; its figure is printed."""
import multiprocessing
import sys
import time

TURNS = 2000


def read(d, l, q):
    for _ in range(TURNS):
        d["a"]


def write(d, l, q):
    for i in range(TURNS):
        d["a"] = i


def queue(d, l, q):
    for i in range(TURNS):
        q.put(i)
        q.get()


def big(d, l, q):
    for _ in range(TURNS // 20):
        d["big"]


if __name__ == "__main__":
    # As ours: a fresh process, not a fork.
    manager = multiprocessing.get_context("spawn").Manager()
    d, l, q = manager.dict(a=1, big=b"x" * (1 << 20)), manager.list(), manager.Queue()
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.strip()
        start = time.perf_counter()
        globals()[name](d, l, q)
        turns = TURNS // 20 if name == "big" else TURNS
        print((time.perf_counter() - start) * 1e6 / turns, flush=True)
