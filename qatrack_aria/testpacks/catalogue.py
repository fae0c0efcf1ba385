"""Define the packs: their tests, in order, with their descriptions."""

from __future__ import annotations

from qatrack_aria.testpacks.model import (
    CONSTANT,
    MULTIPLE_CHOICE,
    NUMBER,
    STRING,
    TEXT,
    Pack,
    Test,
)

PATIENT = Test(
    "patientid",
    "Patient ID",
    STRING,
    "Patient ID of the QA patient in ARIA, exactly. The one used last on this unit is offered.",
)
PLAN = Test(
    "rtplanname",
    "Plan label",
    STRING,
    "Label of the RT Plan, exactly. The one used last on this unit is offered.",
)


def _expected(prefix: str, count: int, of: str) -> Test:
    return Test(
        f"{prefix}_expected",
        "Images expected",
        CONSTANT,
        f"With fewer images nothing is calculated. {count} for {of}; set it to what your plan "
        "gives.",
        constant=count,
        formatting="%g",
    )


def _status(prefix: str) -> Test:
    return Test(
        f"{prefix}_status",
        "Images",
        TEXT,
        "What was fetched, or what went wrong and what to do.",
    )


def _analysis(prefix: str) -> Test:
    return Test(
        f"{prefix}_analysis",
        "Analysis",
        TEXT,
        "All that pylinac found, and which images it was found in. The tests below take "
        "their values from here; if they stay empty, the reason is shown here.",
    )


def _sheet(prefix: str) -> Test:
    return Test(
        f"{prefix}_sheet",
        "Contact sheet",
        TEXT,
        "Attaches one picture that shows all images.",
        shows_picture=True,
    )


def _count(prefix: str, count: str) -> Test:
    return Test(
        f"{prefix}_count",
        "Number of images",
        NUMBER,
        "Images that were used.",
        line=f"result = {count}",
        formatting="%d",
    )


def _acquired(prefix: str, summary: str) -> Test:
    return Test(
        f"{prefix}_acquired",
        "Acquired",
        TEXT,
        "Date and time of the newest image, by the clock of the imager.",
        line=f'result = {summary}["acquired"].replace("T", " ")[:19]',
    )


def _number(macro: str, name: str, key: str, description: str, formatting: str = "%.2f") -> Test:
    """Return a test for one result of the analysis, whose macro name has the same prefix."""
    line = f'result = {macro.split("_")[0]}_analysis["{key}"]'
    return Test(macro, name, NUMBER, description, line=line, formatting=formatting)


FIRST = Test(
    "first_composite",
    "Maximum distance of ball from field centre (mm)",
    NUMBER,
    "A first composite test.",
)

WINSTON_LUTZ = Pack(
    "winston_lutz",
    "ARIA Winston-Lutz",
    "ARIA WL",
    "Fetches the newest images of a Winston-Lutz plan from ARIA and analyses them with pylinac. "
    "References and tolerances are yours to set.",
    (
        PATIENT,
        PLAN,
        _expected("wl", 8, "the usual eight positions of gantry, collimator and couch"),
        Test(
            "wl_bb_diameter",
            "Diameter of the ball (mm)",
            CONSTANT,
            "pylinac looks for a ball of this size, give or take 2 mm.",
            constant=5,
            formatting="%g",
            versions=("4.0",),
        ),
        _status("wl"),
        _analysis("wl"),
        _count("wl", 'wl_analysis["count"]'),
        _acquired("wl", 'wl_analysis["images"]'),
        _number(
            "wl_max",
            "Maximum distance of ball from field centre (mm)",
            "max_mm",
            "In the plane of the image, at the isocentre; the worst of all images.",
        ),
        _number(
            "wl_median",
            "Median distance of ball from field centre (mm)",
            "median_mm",
            "In the plane of the image, at the isocentre; the median of all images.",
        ),
        _number(
            "wl_shift_right",
            "Ball to isocentre: to the right (mm)",
            "shift_right_mm",
            "How far to move the ball, seen from the foot of the couch; negative is to the left.",
        ),
        _number(
            "wl_shift_in",
            "Ball to isocentre: in (mm)",
            "shift_in_mm",
            "How far to move the ball towards the gantry; negative is away from it.",
        ),
        _number(
            "wl_shift_up",
            "Ball to isocentre: up (mm)",
            "shift_up_mm",
            "How far to raise the ball; negative is down.",
        ),
        _sheet("wl"),
    ),
)

PICKET_FENCE = Pack(
    "picket_fence",
    "ARIA picket fence",
    "ARIA PF",
    "Fetches the newest images of a picket fence plan from ARIA and analyses them with pylinac. "
    "References and tolerances are yours to set.",
    (
        PATIENT,
        PLAN,
        Test(
            "pf_mlc",
            "MLC",
            MULTIPLE_CHOICE,
            "Leaf arrangement of this unit. The one chosen last on this unit is offered.",
            choices=("Millennium", "HD Millennium"),
        ),
        _expected("pf", 1, "one gantry angle"),
        Test(
            "pf_tolerance",
            "Tolerance of a leaf pair (mm)",
            CONSTANT,
            "A leaf pair passes if it lies within this distance of its picket.",
            constant=0.5,
            formatting="%g",
        ),
        _status("pf"),
        _analysis("pf"),
        _count("pf", 'pf_analysis["count"]'),
        _acquired("pf", 'pf_analysis["images"]'),
        _number(
            "pf_max_error",
            "Maximum error (mm)",
            "max_error_mm",
            "Distance of the worst leaf pair from its picket, of all images.",
        ),
        _number(
            "pf_median_error",
            "Median error (mm)",
            "median_error_mm",
            "Median distance of the leaf pairs from their pickets, in the worst image.",
        ),
        _number(
            "pf_passing",
            "Leaf pairs within tolerance (%)",
            "passing_percent",
            "In the worst image.",
            "%.1f",
        ),
        _number(
            "pf_pickets",
            "Pickets found",
            "pickets",
            "The fewest of all images: give it the number of pickets in your plan as reference, "
            "since pickets that were not found were not measured.",
            "%d",
        ),
        _sheet("pf"),
    ),
)

IMAGES = Pack(
    "images",
    "ARIA images",
    "ARIA images",
    "Fetches the newest images of a plan from ARIA and attaches them: a start for an analysis of "
    "your own.",
    (
        PATIENT,
        PLAN,
        _status("img"),
        Test(
            "img_summary",
            "Summary",
            TEXT,
            "Which images they are, with their UIDs and checksums. The tests below take their "
            "values from here.",
        ),
        _count("img", 'len(img_summary["images"])'),
        _acquired("img", "img_summary"),
        Test(
            "img_machine",
            "Machine",
            TEXT,
            "Name of the treatment machine, as the images tell it.",
            line='result = img_summary["machine"]',
        ),
        _sheet("img"),
        Test(
            "img_zip",
            "All images in one file",
            TEXT,
            "Attaches a zip file with all images.",
        ),
    ),
)

PACKS = (WINSTON_LUTZ, PICKET_FENCE, IMAGES)
