"""Files that harm their reader. Those that are read with them must not pay for it."""

from tests.chaos.faults.registry import Hands, fault
from tests.chaos.inputs import Kind
from tests.integration.site import wait_until

_ENDED = "SELECT count(*) FROM diagnoses_job WHERE image_id::text = ANY(%s) AND ended_at IS NOT NULL"


def _poison(hands: Hands, kind: Kind) -> None:
    """One such file among others; it is there until it has its end."""
    study = hands.stream.deliver([hands.inputs.valid(), hands.inputs.poison(kind), hands.inputs.valid()], urgent=True)
    images = list(study.accepted)
    wait_until(lambda: hands.site.rows(_ENDED, images) == [(len(images),)], 90, f"a study with a {kind} file is read")


@fault("crashing file")
def crashing(hands: Hands) -> None:
    _poison(hands, Kind.CRASHING)


@fault("endless file")
def endless(hands: Hands) -> None:
    _poison(hands, Kind.ENDLESS)


@fault("greedy file")
def greedy(hands: Hands) -> None:
    _poison(hands, Kind.GREEDY)
