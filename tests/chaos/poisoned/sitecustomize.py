"""Python loads this at the start of every process that has this folder on its path."""

from tests.chaos import poison

poison.install()
