"""The bill of materials (CycloneDX 1.6), the same for the same parts."""

from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tests.supply.parts import Part, models, packages, vendored


def bill_of_materials() -> str:
    """All that ships, as JSON."""
    bom = Bom()
    bom.metadata.component = Component(name="chest-xray-reader", type=ComponentType.APPLICATION, bom_ref="product")
    for part in packages():
        bom.components.add(
            _component(part, ComponentType.LIBRARY, PackageURL("pypi", name=part.name, version=part.version))
        )
    for part in vendored():
        bom.components.add(_component(part, ComponentType.LIBRARY))
    for part in models():
        bom.components.add(_component(part, ComponentType.MACHINE_LEARNING_MODEL))
    bom.register_dependency(bom.metadata.component, bom.components)
    # What would differ from one making to the next says nothing of the parts.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    return "\n".join(line for line in text.splitlines() if '"serialNumber"' not in line) + "\n"


def _component(part: Part, kind: ComponentType, purl: PackageURL | None = None) -> Component:
    return Component(
        name=part.name,
        version=part.version,
        type=kind,
        purl=purl,
        bom_ref=f"{part.name}@{part.version}",
        licenses=[LicenseFactory().make_from_string(part.licence)],
        components=list(_files(part.files.items())),
    )


def _files(files: Iterable[tuple[str, str]]) -> Iterable[Component]:
    for path, digest in files:
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest)]
        yield Component(name=path, type=ComponentType.FILE, bom_ref=path, hashes=hashes)
