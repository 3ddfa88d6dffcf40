"""A running site becomes a stage."""

from collections.abc import Mapping

from tests.integration.site import Site
from tests.stage.screens import KNOWN, addresses


def furnish(site: Site) -> Mapping[str, str]:
    """Fill the site with made-up cases; what the paths of `SCREENS` name comes back."""
    done = site.manage("shell", "--no-imports", "-c", "from tests.stage.cases import fill; fill()")
    assert done.returncode == 0, done.stderr
    studies = [(str(study), str(kind)) for study, kind in site.rows(KNOWN["studies"])]
    [(model,)] = site.rows(KNOWN["models"])
    return addresses(studies, str(model))
