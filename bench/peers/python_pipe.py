"""CPython's multiprocessing.Pipe to another process (spawn): rounds as a JSON array, of what the argument says.

trip: microseconds per round trip of 64 bytes; object: the same for a small dict;
there and back: microseconds per message of 1 MiB that is sent to, or comes from, the other process.
"""

import json
import multiprocessing as mp
import sys
import time

TRIPS = 5_000
BIG = 200
ROUNDS = 8


def echo_bytes(connection):
    while message := connection.recv_bytes():
        connection.send_bytes(message)


def echo(connection):
    while (message := connection.recv()) is not None:
        connection.send(message)


def sink(connection):
    while True:
        for _ in range(BIG):
            if not connection.recv_bytes():
                return
        connection.send_bytes(b"all")


def source(connection):
    message = bytes(1 << 20)
    while connection.recv_bytes():
        for _ in range(BIG):
            connection.send_bytes(message)


def main():
    what = sys.argv[1]
    here, there = mp.Pipe()
    target = {"trip": echo_bytes, "object": echo, "there": sink, "back": source}[what]
    process = mp.get_context("spawn").Process(target=target, args=(there,))
    process.start()
    message = bytes(64)
    big = bytes(1 << 20)
    value = {"id": 1, "text": "hello"}
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        count = TRIPS
        if what == "trip":
            for _ in range(TRIPS):
                here.send_bytes(message)
                here.recv_bytes()
        elif what == "object":
            for _ in range(TRIPS):
                here.send(value)
                here.recv()
        elif what == "there":
            count = BIG
            for _ in range(BIG):
                here.send_bytes(big)
            here.recv_bytes()
        else:
            count = BIG
            here.send_bytes(b"go")
            for _ in range(BIG):
                here.recv_bytes()
        rounds.append((time.perf_counter_ns() - start) / 1000 / count)
    if what == "object":
        here.send(None)
    else:
        here.send_bytes(b"")
    process.join()
    print(json.dumps(rounds[1:]))


if __name__ == "__main__":
    main()
