"""All that is measured, in this order, with what should come out. To add a measure: a module, and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.bench import audit, cpu, gradcam, history, idle, memory, queue, record, throughput, urgent
from tests.bench.bench import Bench
from tests.bench.figures import Figures, Goal, at_least, at_most


@dataclass(frozen=True)
class Measure:
    """What takes the figures, and the goals of those that have one."""

    take: Callable[[Bench], Figures]
    goals: Mapping[str, Goal]


MEASURES: dict[str, Measure] = {
    "throughput": Measure(throughput.measure, {"site_over_bare_loop": at_least(0.85)}),
    "cpu": Measure(cpu.measure, {"site_over_demo": at_most(0.01)}),
    "gradcam": Measure(gradcam.measure, {"with_grad_cam_over_without": at_most(1.03)}),
    "idle": Measure(idle.measure, {"seen_over_bare": at_most(2)}),
    "urgent": Measure(urgent.measure, {"seen_over_bare": at_most(4)}),
    "memory": Measure(memory.measure, dict.fromkeys(memory.NAMES, at_most(1.05))),
    "queue": Measure(queue.measure, {"eight_workers_over_one": at_least(5), "database_ms_per_job": at_most(3)}),
    "audit": Measure(audit.measure, {"chained_events_per_second": at_least(700)}),
    "record": Measure(record.measure, {"page_of_1e6_over_1e4_at_worst": at_most(1.5)}),
    "history": Measure(
        history.take, {"page_median_of_1e6_over_1e4": at_most(1.5), "page_p95_of_1e6_over_1e4": at_most(1.5)}
    ),
}
