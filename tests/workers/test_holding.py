"""Batches in a worker's hands: their leases are kept, and the time is taken that they are worked on."""

from contextlib import ExitStack

from diagnoses.models import ModelVersion
from tests.workers.test_drain import ToldReader, a_runtime


def test_two_batches_in_hand_are_let_go_in_turn(model_version: ModelVersion) -> None:
    runtime = a_runtime(model_version, ToldReader())
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(runtime.holding([]))
        second.enter_context(runtime.holding([]))
        since = runtime.busy_since
        first.close()
        assert runtime.busy_since is not None
        assert since is not None
        assert runtime.busy_since >= since
        second.close()
        assert runtime.busy_since is None
