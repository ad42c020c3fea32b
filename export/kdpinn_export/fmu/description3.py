"""modelDescription.xml and sources/buildDescription.xml of FMI 3.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from .identity import GENERATOR, Identity, add_categories, add_units, attributes, xml_bytes
from .sources import SourceSet
from .variables import MARGIN, POINTS, FmuVariable, depends_on, depends_on_at_first

INTERFACE = {
    "needsExecutionTool": "false",
    "canBeInstantiatedOnlyOncePerProcess": "false",
    "canGetAndSetFMUState": "true",
    "canSerializeFMUState": "true",
    "providesDirectionalDerivatives": "true",
    "providesAdjointDerivatives": "true",
    "providesPerElementDependencies": "true",
}
STEPS = {
    "canHandleVariableCommunicationStepSize": "true",
    "maxOutputDerivativeOrder": "1",
    "hasEventMode": "true",
}
TYPES = {"real": "Float64", "single": "Float32", "flag": "Boolean", "count": "UInt64"}


def description(
    identity: Identity, variables: tuple[FmuVariable, ...], experiment: dict[str, str]
) -> bytes:
    """The bytes of modelDescription.xml."""
    root = Element(
        "fmiModelDescription",
        attributes(
            fmiVersion="3.0",
            modelName=identity.name,
            instantiationToken=identity.token,
            description=identity.description,
            generationTool=GENERATOR,
            variableNamingConvention="structured",
        ),
    )
    named = {"modelIdentifier": identity.identifier}
    SubElement(root, "ModelExchange", named | INTERFACE)
    SubElement(root, "CoSimulation", named | INTERFACE | STEPS)
    add_units(root, variables)
    add_categories(root)
    SubElement(root, "DefaultExperiment", experiment)
    parent = SubElement(root, "ModelVariables")
    for variable in variables:
        _add_variable(parent, variable)
    _add_structure(root, variables)
    return xml_bytes(root)


def _add_variable(parent: Element, variable: FmuVariable) -> None:
    real = variable.type in ("real", "single")
    element = SubElement(
        parent,
        TYPES[variable.type],
        attributes(
            name=variable.name,
            valueReference=variable.reference,
            description=variable.description,
            causality=variable.causality,
            variability=variable.variability,
            initial=variable.initial,
            unit=variable.unit,
            min=variable.lower,
            max=variable.upper,
            nominal=variable.nominal if real else None,
            start=variable.start,
        ),
    )
    if variable.array:
        SubElement(element, "Dimension", valueReference=str(POINTS))


def _add_structure(root: Element, variables: tuple[FmuVariable, ...]) -> None:
    structure = SubElement(root, "ModelStructure")
    outputs = [variable for variable in variables if variable.computed]
    (margin,) = (variable for variable in variables if variable.reference == MARGIN)
    first = depends_on_at_first(variables)
    for name, unknowns in (
        ("Output", outputs),
        ("InitialUnknown", outputs),
        ("EventIndicator", [margin]),
    ):
        for unknown in unknowns:
            known = first if name == "InitialUnknown" else depends_on(unknown, variables)
            SubElement(
                structure,
                name,
                valueReference=str(unknown.reference),
                dependencies=" ".join(str(v.reference) for v in known),
                dependenciesKind=" ".join("dependent" for _ in known),
            )


def build_description(identifier: str, builds: Mapping[str, Sequence[SourceSet]]) -> bytes:
    """How to compile the sources: platform (empty: any) -> sets of files with the same flags."""
    root = Element("fmiBuildDescription", fmiVersion="3.0")
    for platform, sets in builds.items():
        named = {"modelIdentifier": identifier} | ({"platform": platform} if platform else {})
        configuration = SubElement(root, "BuildConfiguration", named)
        for each in sets:
            files = SubElement(
                configuration,
                "SourceFileSet",
                attributes(language="C99", compilerOptions=" ".join(each.flags)),
            )
            for name in each.files:
                SubElement(files, "SourceFile", name=name)
            for name in each.defines:
                SubElement(files, "PreprocessorDefinition", name=name, value="1")
    return xml_bytes(root)
