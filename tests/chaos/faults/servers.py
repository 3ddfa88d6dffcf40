"""The servers die, stand still, start again empty; the web process dies at the worst moment."""

import time

from celery import Celery

from tests.chaos.faults.registry import Hands, fault
from tests.integration.hands import kill, kill_redis_and_what_it_kept, stopped, wait_until_said
from tests.integration.site import wait_until

_TIMES = 5
_KEPT = "SELECT 1 FROM diagnoses_image WHERE sha256 = %s"
_SAID_OF_POSTGRES = "PostgreSQL has died; starting it again."
_SAID_OF_REDIS = "Redis has died; starting it again."


@fault("web killed before its ring")
def web_killed_before_the_doorbell(hands: Hands) -> None:
    """Its study is committed, nobody is told, and the sender has no answer: it comes again with the same key."""
    site, before = hands.site, hands.site.output
    study = hands.stream.study([hands.inputs.valid() for _ in range(4)])
    with hands.sending(study):
        with stopped(site.redis):  # so that the ring takes its time
            wait_until(lambda: site.rows(_KEPT, study.files[0].sha256), 15, "the study is committed")
            assert not study.answers, "the web server was too fast to be killed before the doorbell"
            kill(site.web)
        wait_until_said(site, "Starting the web server again", before)


@fault("Redis emptied")
def redis_emptied(hands: Hands) -> None:
    before = hands.site.output
    with stopped(hands.site.supervisor):
        kill_redis_and_what_it_kept(hands.site)
    wait_until_said(hands.site, _SAID_OF_REDIS, before)


@fault("Redis paused")
def redis_paused(hands: Hands) -> None:
    with stopped(hands.site.redis):
        time.sleep(hands.pause_seconds)


@fault("PostgreSQL killed")
def postgres_killed(hands: Hands) -> None:
    before = hands.site.output
    kill(hands.site.postgres)
    wait_until_said(hands.site, _SAID_OF_POSTGRES, before)


@fault("both servers killed")
def both_killed(hands: Hands) -> None:
    before = hands.site.output
    with stopped(hands.site.supervisor):
        kill(hands.site.postgres)
        kill_redis_and_what_it_kept(hands.site)
    wait_until_said(hands.site, _SAID_OF_POSTGRES, before)
    wait_until_said(hands.site, _SAID_OF_REDIS, before)


@fault("doorbell repeated")
def doorbell_repeated(hands: Hands) -> None:
    """One message, with one name, many times: as after a broker that did not hear that it was taken."""
    with Celery(broker=hands.site.settings["REDIS_URL"], set_as_current=False) as app:
        app.conf.broker_transport_options = {"global_keyprefix": "cxr:"}
        message = f"chaos-{time.time()}"
        for _ in range(_TIMES):
            app.send_task("workers.tasks.drain", task_id=message, queue="doorbell", ignore_result=True)
            hands.stream.deliver(hands.stream.files())
