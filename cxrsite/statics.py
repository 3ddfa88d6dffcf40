"""Where the pages' own files are collected, under names that change with what is in them."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # it has no types
    """Follows the imports of JavaScript modules, too, so that a module asks for the others by their names of now."""

    support_js_module_import_aggregation = True
