"""`python -m tests.supply FOLDER`: writes the bill of materials and the list of licences there."""

import sys
from pathlib import Path

from tests.supply.bill import bill_of_materials
from tests.supply.licences import licence_list


def main(folder: Path) -> None:
    """Both anew; what changed since shows up in the diff."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.cdx.json").write_text(bill_of_materials())
    (folder / "licences.md").write_text(licence_list())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
