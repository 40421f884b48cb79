"""Devices for tests and measurements, written as a third party would write them: lerobot plugins."""
