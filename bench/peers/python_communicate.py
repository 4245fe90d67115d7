"""Popen.communicate() over one gibibyte: GiB for each second."""
import subprocess
import time

SIZE = 1 << 30
start = time.perf_counter()
child = subprocess.Popen(["head", "-c", str(SIZE), "/dev/zero"], stdout=subprocess.PIPE)
out, _ = child.communicate()
seconds = time.perf_counter() - start
assert len(out) == SIZE
print(1 / seconds)
