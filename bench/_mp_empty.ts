// An empty program: the floor of mp_process_bench.ts.
