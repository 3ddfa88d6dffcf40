"""How the site's static files are kept."""

import re
from collections.abc import Callable
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # it has no types
    """Under names that change with their contents, also where one of our modules imports another."""

    support_js_module_import_aggregation = True

    def url_converter(
        self, name: str, hashed_files: dict[str, Any], template: str | None = None
    ) -> Callable[[re.Match[str]], str]:
        """Leave others' scripts as they came: their comments hold imports that lead nowhere."""
        if name.endswith(".js") and not name.startswith("diagnoses/"):
            return lambda match: str(match["matched"])
        converter: Callable[[re.Match[str]], str] = super().url_converter(name, hashed_files, template)
        return converter
