"""multiprocessing.shared_memory: bytes copied in by one process and out by another, or openings. Prints a figure per round, as JSON."""
import json
import sys
import time
from multiprocessing import Pipe, get_context
from multiprocessing.shared_memory import SharedMemory


def read(name, size, end):
    memory = SharedMemory(name)
    own = bytearray(b"\1") * size
    while end.recv():
        memoryview(own)[:] = memory.buf[:size]
        end.send(own[-1])
    memory.close()


def copies(size, rounds):
    memory = SharedMemory(create=True, size=size)
    here, there = Pipe()
    child = get_context("fork").Process(target=read, args=(memory.name, size, there))
    child.start()
    found = []
    for i in range(rounds + 1):
        source = bytearray(bytes([i + 1])) * size
        start = time.perf_counter()
        memory.buf[:size] = source
        here.send(True)
        assert here.recv() == i + 1
        found.append(2 * size / 1e9 / (time.perf_counter() - start))
    here.send(False)
    child.join()
    memory.close()
    memory.unlink()
    return found[1:]


def openings(size, rounds, times):
    memory = SharedMemory(create=True, size=size)
    found = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for _ in range(times):
            same = SharedMemory(memory.name)
            assert len(same.buf) == size
            same.close()
        found.append((time.perf_counter() - start) * 1e6 / times)
    memory.close()
    memory.unlink()
    return found[1:]


what, size, rounds, times = sys.argv[1], *map(int, sys.argv[2:])
print(json.dumps(copies(size, rounds) if what == "copy" else openings(size, rounds, times)))
