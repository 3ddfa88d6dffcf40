"""The faults. One is a function under `@fault("its name")` in a module of this package that is imported here.

It does its harm, waits until the harm has shown, and undoes it; that the site is whole again is waited for after it.
"""

from tests.chaos.faults import inputs, others, servers, workers
from tests.chaos.faults.registry import FAULTS, Fault, Hands

__all__ = ["FAULTS", "Fault", "Hands", "inputs", "others", "servers", "workers"]
