"""The naughty helper on a kernel that has no filters of system calls."""

from diagnoses.imaging import syscalls
from diagnoses.imaging.confined import CALLS, main
from tests.diagnoses.imaging.naughty import NAUGHTY

if __name__ == "__main__":
    syscalls.are_filtered_here = lambda: False
    main(CALLS | NAUGHTY)
