"""threading.Thread: microseconds from start() to the first line of the target ("first"), or for start() and join(), as JSON."""
import json
import sys
import threading
import time


def target(box):
    box.append(time.perf_counter_ns())


def first():
    box = []
    thread = threading.Thread(target=target, args=(box,))
    began = time.perf_counter_ns()
    thread.start()
    thread.join()
    return (box[0] - began) / 1000


def start_and_join(turns=500):
    began = time.perf_counter_ns()
    for _ in range(turns):
        thread = threading.Thread(target=target, args=([],))
        thread.start()
        thread.join()
    return (time.perf_counter_ns() - began) / 1000 / turns


if sys.argv[1] == "first":
    print(json.dumps([sorted(first() for _ in range(51))[25] for _ in range(7)]))
else:
    print(json.dumps([start_and_join() for _ in range(7)]))
