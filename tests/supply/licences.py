"""Under which licence each part ships."""

from tests.supply.parts import Part, models, packages, vendored

_HEAD = """# Licences

What ships, and under which licence; `make supply` writes this list and the bill of materials beside it (CycloneDX).
Nothing that ships is under the GPL or the AGPL. psycopg2 is under the LGPL, with an exception for linking. What only
develops and tests the product (`requirements/dev.txt`) does not ship and is not listed.
"""


def licence_list() -> str:
    """A page of tables."""
    tables = {"Packages": packages(), "Files of others in the pages": vendored(), "Models": models()}
    return _HEAD + "".join(f"\n## {title}\n\n{_table(parts)}" for title, parts in tables.items())


def _table(parts: list[Part]) -> str:
    rows = sorted(parts, key=lambda part: part.name.lower())
    return "| name | version | licence |\n| --- | --- | --- |\n" + "".join(
        f"| {part.name} | {part.version} | {part.licence} |\n" for part in rows
    )
