"""Write a composite test that fetches the images of a patient and plan chosen in the admin."""

from __future__ import annotations

from qatrack_aria.retrieval.option_values import IMAGE_TYPES
from qatrack_aria.retrieval.options import OPTIONS
from qatrack_aria.retrieval.request import Request
from qatrack_aria.testpacks.model import literal


def write_call(node: str, request: Request) -> str:
    """Write the procedure that makes a request.

    Parameters
    ----------
    node : str
        Name of the node.
    request : Request
        The request; options that hold for one day only, such as its date and count, are left out.

    Returns
    -------
    str
        Python.
    """
    presets = {preset.values: name for name, preset in IMAGE_TYPES.items()}
    image_type = presets.get(request.image_type, "\\".join(request.image_type))
    arguments = [literal(value) for value in (node, request.patient_id, request.plan, image_type)]
    arguments.append("utils=UTILS")
    for option in OPTIONS:
        value = getattr(request, option.name)
        if not option.of_day and value != option.default:
            written = literal(value) if isinstance(value, str) else repr(value)
            arguments.append(f"{option.name}={written}")
    return (
        "from qatrack_aria import fetch_images\n\n"
        f"images = fetch_images({', '.join(arguments)})\n"
        "# Your own analysis reads the folder images.path, or the files of "
        '"for file in images".\n'
        "result = images.summary\n"
    )
