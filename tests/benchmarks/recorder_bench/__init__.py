"""The parts of `bench_recorder.py`, each printing one table or two."""
