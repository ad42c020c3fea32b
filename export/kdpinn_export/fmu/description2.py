"""modelDescription.xml of FMI 2.0."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from .identity import GENERATOR, Identity, add_categories, add_units, attributes, xml_bytes
from .variables import FmuVariable, depends_on, depends_on_at_first

INTERFACE = {
    "needsExecutionTool": "false",
    "canBeInstantiatedOnlyOncePerProcess": "false",
    "canNotUseMemoryManagementFunctions": "true",
    "canGetAndSetFMUstate": "true",
    "canSerializeFMUstate": "true",
    "providesDirectionalDerivative": "true",
}
STEPS = {
    "canHandleVariableCommunicationStepSize": "true",
    "canInterpolateInputs": "true",
    "maxOutputDerivativeOrder": "1",
    "canRunAsynchronuously": "false",  # spelled so by the standard
}


def description(
    identity: Identity,
    variables: tuple[FmuVariable, ...],
    experiment: dict[str, str],
    sources: Sequence[str],
) -> bytes:
    """The file's bytes; sources: names of the C files that an importer compiles."""
    root = Element(
        "fmiModelDescription",
        attributes(
            fmiVersion="2.0",
            modelName=identity.name,
            guid=identity.token,
            description=identity.description,
            generationTool=GENERATOR,
            variableNamingConvention="structured",
            numberOfEventIndicators=1,
        ),
    )
    for name, more in (("ModelExchange", {}), ("CoSimulation", STEPS)):
        named = {"modelIdentifier": identity.identifier}
        interface = SubElement(root, name, named | INTERFACE | more)
        files = SubElement(interface, "SourceFiles")
        for source in sources:
            SubElement(files, "File", name=source)
    add_units(root, variables)
    add_categories(root)
    SubElement(root, "DefaultExperiment", experiment)
    scalars = SubElement(root, "ModelVariables")
    for variable in variables:
        _add_scalar(scalars, variable)
    _add_structure(root, variables)
    return xml_bytes(root)


def _add_scalar(parent: Element, variable: FmuVariable) -> None:
    scalar = SubElement(
        parent,
        "ScalarVariable",
        attributes(
            name=variable.name,
            valueReference=variable.reference,
            description=variable.description,
            causality=variable.causality,
            variability=variable.variability,
            initial=variable.initial,
        ),
    )
    if variable.type == "flag":
        SubElement(scalar, "Boolean")
        return
    SubElement(
        scalar,
        "Real",
        attributes(
            unit=variable.unit,
            min=variable.lower,
            max=variable.upper,
            nominal=variable.nominal,
            start=variable.start,
        ),
    )


def _add_structure(root: Element, variables: tuple[FmuVariable, ...]) -> None:
    """Outputs and what they depend on, by the place in the list of variables, from 1."""
    structure = SubElement(root, "ModelStructure")
    place = {variable.name: number for number, variable in enumerate(variables, 1)}
    first = depends_on_at_first(variables)
    for name in ("Outputs", "InitialUnknowns"):
        unknowns = SubElement(structure, name)
        for output in filter(lambda v: v.computed, variables):
            known = depends_on(output, variables) if name == "Outputs" else first
            SubElement(
                unknowns,
                "Unknown",
                index=str(place[output.name]),
                dependencies=" ".join(str(place[v.name]) for v in known),
                dependenciesKind=" ".join("dependent" for _ in known),
            )
