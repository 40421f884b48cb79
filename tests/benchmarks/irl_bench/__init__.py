"""The parts of bench_irl.py."""
