"""Parts of `bench_curation.py`: flights with known faults, and what finds them."""
