"""What calls cost in CPython's pools of two processes. argv: what, rounds. Prints a JSON array: microseconds per call."""
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool


def successor(n):
    return n + 1


def rate(count, body):
    start = time.perf_counter()
    body(count)
    return (time.perf_counter() - start) * 1e6 / count


def main():
    what, rounds = sys.argv[1], int(sys.argv[2])
    if what == "submit":
        with ProcessPoolExecutor(2) as executor:
            def body(count):
                futures = [executor.submit(successor, n) for n in range(count)]
                assert sum(f.result() for f in futures) == count * (count + 1) // 2
            rate(1000, body)
            print(json.dumps([rate(5000, body) for _ in range(rounds)]))
        return
    with Pool(2) as pool:
        if what == "apply":
            def body(count):
                for n in range(count):
                    pool.apply(successor, (n,))
            counts = (200, 1000)
        else:
            chunksize = 1 if what == "one" else None
            def body(count):
                assert sum(pool.map(successor, range(count), chunksize)) == count * (count + 1) // 2
            counts = (1000, 20000) if what == "one" else (100000, 1000000)
        rate(counts[0], body)
        print(json.dumps([rate(counts[1], body) for _ in range(rounds)]))


if __name__ == "__main__":
    main()
