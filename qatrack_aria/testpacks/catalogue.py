"""List the packs: one for each analysis, and one for images alone."""

from __future__ import annotations

from qatrack_aria.analysis import ANALYSES
from qatrack_aria.testpacks.from_analysis import pack_of
from qatrack_aria.testpacks.model import NUMBER, PATIENT, PLAN, TEXT, Pack, Test

FIRST = Test(
    "first_composite",
    "Maximum distance of ball from field centre (mm)",
    NUMBER,
    "A first composite test.",
)

IMAGES = Pack(
    "images",
    "ARIA images",
    "ARIA images",
    "Fetches the newest images of a plan from ARIA and attaches them: a start for an analysis of "
    "your own.",
    shared=(PATIENT, PLAN),
    tests=(
        Test(
            "img_status",
            "Images",
            TEXT,
            "What was fetched, or what went wrong and what to do.",
        ),
        Test(
            "img_summary",
            "Summary",
            TEXT,
            "Which images they are, with their UIDs and checksums. The tests below take their "
            "values from here.",
        ),
        Test(
            "img_count",
            "Number of images",
            NUMBER,
            "Images that were used.",
            code='result = len(img_summary["images"])\n',
            formatting="%d",
        ),
        Test(
            "img_acquired",
            "Acquired",
            TEXT,
            "Date and time of the newest image, by the clock of the imager.",
            code='result = img_summary["acquired"].replace("T", " ")[:19]\n',
        ),
        Test(
            "img_machine",
            "Machine",
            TEXT,
            "Name of the treatment machine, as the images tell it.",
            code='result = img_summary["machine"]\n',
        ),
        Test(
            "img_sheet",
            "Contact sheet",
            TEXT,
            "Attaches one picture that shows all images.",
            shows_picture=True,
        ),
        Test(
            "img_zip",
            "All images in one file",
            TEXT,
            "Attaches a zip file with all images.",
        ),
    ),
)

PACKS = (*map(pack_of, ANALYSES), IMAGES)
