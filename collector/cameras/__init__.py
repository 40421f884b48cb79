"""Cameras of our own, as lerobot plugins: `--robot.discover_packages_path=collector.cameras` registers them."""

from collector.cameras.test_card import TestCardCamera, TestCardCameraConfig

__all__ = ["TestCardCamera", "TestCardCameraConfig"]
