"""A composite test for images that somebody has seen in the admin: patient and plan filled in."""

from __future__ import annotations

from qatrack_aria.retrieval.request import PRESETS, Request
from qatrack_aria.testpacks.model import literal


def write_call(node: str, request: Request) -> str:
    """Write the procedure that makes a request.

    Parameters
    ----------
    node : str
        Name of the node.
    request : Request
        What to ask for; its count and date are left out, which are those of one day.

    Returns
    -------
    str
        Python.
    """
    presets = {full: short for short, full in PRESETS.items()}
    image_type = presets.get(request.image_type, "\\".join(request.image_type))
    arguments = [literal(one) for one in (node, request.patient_id, request.plan, image_type)]
    arguments.append("utils=UTILS")
    for keyword in ("course", "machine", "select"):
        value = getattr(request, keyword)
        if value is not None:
            arguments.append(f"{keyword}={literal(value)}")
    if request.kv:
        arguments.append("kv=True")
    return (
        "from qatrack_aria import fetch_images\n\n"
        f"images = fetch_images({', '.join(arguments)})\n"
        "# Your own analysis reads the folder images.path, or the files of "
        '"for file in images".\n'
        "result = images.summary\n"
    )
