"""Pictures: radiation is bright, the captions are true, and no image spoils a sheet."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from qatrack_aria import rendering
from qatrack_aria.dicom.attributes import image_ref
from qatrack_aria.errors import ArchiveError
from qatrack_aria.rendering import canvas
from qatrack_aria.rendering import contact_sheet as layout
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.simulator import phantom
from qatrack_aria.simulator.phantom.drawing import Field, draw
from qatrack_aria.storage.digests import digest_of
from qatrack_aria.storage.set_folder import LaidOut
from tests import ROOT
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT, TAKEN

np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")
ImageFont = pytest.importorskip("PIL.ImageFont")

CENTRE, CORNER = (32, 25), (2, 2)  # of the small phantom: in the field beside the ball, and outside


def file(folder: Path, ds: Dataset, name: str = "image.dcm") -> Path:
    return datasets.save(ds, folder / name)


def with_pixels(values: Any, **changes: Any) -> Dataset:
    """A portal image of these values."""
    ds = datasets.image()
    ds.Rows, ds.Columns = values.shape[:2]
    ds.BitsAllocated = ds.BitsStored = values.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(values.dtype.kind == "i")
    data = values.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    return datasets.change(ds, changes)


def stored(ds: Dataset) -> Any:
    return np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)


def negative(**changes: Any) -> Dataset:
    """The phantom in an imager whose values fall with the dose."""
    return with_pixels(60_000 - stored(datasets.image()), **changes)


def greys(folder: Path, ds: Dataset, **options: Any) -> Any:
    return np.asarray(rendering.draw_image(file(folder, ds), **options))


def is_bright_in_the_field(picture: Any) -> bool:
    assert abs(int(picture[CENTRE]) - int(picture[CORNER])) > 150
    return bool(picture[CENTRE] > picture[CORNER])


def inked(tile: Any) -> bool:
    return bool((np.asarray(tile) < 128).any())


# --- a single picture -------------------------------------------------------------------------


def test_a_picture_has_every_pixel_of_the_image(tmp_path: Path) -> None:
    ds = with_pixels(np.arange(768 * 1024, dtype="<u2").reshape(768, 1024))

    assert rendering.draw_image(file(tmp_path, ds)).size == (1024, 768)


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [
        pytest.param(768, 1024, (400, 300), id="aS1000"),
        pytest.param(1280, 1280, (400, 400), id="TrueBeam"),
        pytest.param(30, 40, (400, 300), id="enlarged"),
        pytest.param(1024, 768, (300, 400), id="upright"),
        pytest.param(2, 1024, (400, 1), id="a line"),
    ],
)
def test_a_smaller_or_larger_picture_keeps_the_shape_of_the_imager(
    tmp_path: Path, rows: int, columns: int, size: tuple[int, int]
) -> None:
    image = file(tmp_path, with_pixels(np.zeros((rows, columns), dtype="<u2")))

    assert rendering.draw_image(image, 400).size == size


def test_enlarging_draws_nothing_that_was_not_measured(tmp_path: Path) -> None:
    image = datasets.image()

    assert set(greys(tmp_path, image, longest=400).flat) == set(greys(tmp_path, image).flat)


def test_reducing_loses_no_picket(tmp_path: Path) -> None:
    values = np.full((1024, 1024), 1000, dtype="<u2")
    for width in range(4):
        values[:, width::32] = 40_000

    thumbnail = greys(tmp_path, with_pixels(values), longest=64)

    assert (thumbnail[30, ::2] > thumbnail[30, 1::2]).all()


@pytest.mark.parametrize("shape", [(30, 40), (40, 30)], ids=["lying", "upright"])
def test_a_thumbnail_is_a_square_with_the_whole_image_in_its_middle(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    image = file(tmp_path, with_pixels(np.zeros(shape, dtype="<u2")))

    tile = np.asarray(rendering.draw_thumbnail(image, 400))

    assert tile.shape == (400, 400)
    assert (tile == canvas.MEDIUM).sum() == 400 * 300
    assert np.array_equal(tile, tile[::-1, ::-1])


def test_a_picture_can_be_had_as_png(tmp_path: Path) -> None:
    picture = rendering.draw_image(file(tmp_path, datasets.image()))

    read = Image.open(io.BytesIO(rendering.as_png(picture)))

    assert read.format == "PNG"
    assert np.array_equal(np.asarray(read), np.asarray(picture))


# --- what is bright ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "bright"),
    [
        pytest.param(datasets.image(), True, id="a portal imager"),
        pytest.param(negative(PixelIntensityRelationshipSign=-1), True, id="values fall with dose"),
        pytest.param(
            negative(PixelIntensityRelationshipSign=-1, RescaleSlope="-1"),
            True,
            id="the sign is about stored values, whatever the slope",
        ),
        pytest.param(
            datasets.image(PhotometricInterpretation="MONOCHROME1"),
            True,
            id="the sign outweighs how the file asks to be shown",
        ),
        pytest.param(
            negative(PixelIntensityRelationshipSign=None, RescaleSlope="-1"),
            True,
            id="without a sign the slope tells",
        ),
        pytest.param(
            negative(PixelIntensityRelationshipSign=None, PhotometricInterpretation="MONOCHROME1"),
            True,
            id="without a sign as the file asks",
        ),
        pytest.param(
            negative(PixelIntensityRelationshipSign=None),
            False,
            id="without any hint as it is stored",
        ),
        pytest.param(
            datasets.image(PixelIntensityRelationshipSign=None, RescaleSlope=None),
            True,
            id="no slope either",
        ),
    ],
)
def test_radiation_is_bright_as_far_as_the_file_tells(
    tmp_path: Path, image: Dataset, bright: bool
) -> None:
    assert is_bright_in_the_field(greys(tmp_path, image)) is bright


def test_inverted_is_the_look_of_film(tmp_path: Path) -> None:
    assert not is_bright_in_the_field(greys(tmp_path, datasets.image(), inverted=True))


def test_the_imager_with_the_other_sign_gives_the_same_picture(tmp_path: Path) -> None:
    other = greys(tmp_path, negative(PixelIntensityRelationshipSign=-1))

    assert np.abs(other.astype(int) - greys(tmp_path, datasets.image())).max() <= 1


# --- the window -------------------------------------------------------------------------------


def test_dead_pixels_do_not_darken_the_rest(tmp_path: Path) -> None:
    values = stored(datasets.image()).copy()
    values[3::9, 3::9] = 65535
    values[:, 60] = 65535
    values[5::9, 5::9] = 0

    damaged, whole = greys(tmp_path, with_pixels(values)), greys(tmp_path, datasets.image())

    assert abs(int(damaged[CENTRE]) - int(whole[CENTRE])) < 10
    assert abs(int(damaged[CORNER]) - int(whole[CORNER])) < 10


def test_a_cone_of_5_mm_is_bright_on_a_whole_imager(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 200, (1280, 1280))
    pixels = draw(1280, 1280, 0.224, (Field(0, 0, 5, 5),), peak=3000)
    values = (np.frombuffer(pixels, "<u2").reshape(1280, 1280) + noise).astype("<u2")

    thumbnail = greys(tmp_path, with_pixels(values), longest=256)

    assert thumbnail[128, 128] > 200
    assert thumbnail[20:100].max() < 60


def test_a_portal_dose_image_of_low_values_uses_the_whole_scale(tmp_path: Path) -> None:
    values = stored(datasets.image()) // 1000

    picture = greys(tmp_path, with_pixels(values.astype("<u2")))

    assert (picture.min(), picture.max()) == (0, 255)


@pytest.mark.parametrize("value", [0, 1000, 65535])
def test_an_image_without_contrast_is_grey(tmp_path: Path, value: int) -> None:
    values = np.full((64, 64), value, dtype="<u2")
    values[10, 10] = 7

    assert set(greys(tmp_path, with_pixels(values)).flat) == {canvas.MEDIUM}


@pytest.mark.parametrize("kind", ["u1", "i1", "<i2", "<u4", "<i4"])
def test_values_of_any_width_and_sign_are_drawn(tmp_path: Path, kind: str) -> None:
    values = (stored(datasets.image()) // 500).astype(kind)
    if np.dtype(kind).kind == "i":
        values -= 60

    assert is_bright_in_the_field(greys(tmp_path, with_pixels(values)))


# --- no picture -------------------------------------------------------------------------------


def compressed() -> Dataset:
    ds = datasets.image()
    ds.PixelData = encapsulate([b"no JPEG 2000 stream "])
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    if int(pydicom.__version__.split(".")[0]) < 3:
        ds.is_implicit_VR = False
    return ds


ODD = [
    pytest.param(datasets.image(PixelData=None), "no pixel data", id="no pixel data"),
    pytest.param(
        datasets.image(PixelData=bytes(5000)), "the pixel data do not fit the header", id="short"
    ),
    pytest.param(
        datasets.image(BitsAllocated=12), "the pixel data do not fit the header", id="bits"
    ),
    pytest.param(datasets.image(NumberOfFrames="3"), "3 frames in one file", id="frames"),
    pytest.param(
        datasets.image(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=1),
        "in colour",
        id="colour",
    ),
    pytest.param(datasets.image(Rows=None), "64 x 0 pixels", id="no rows"),
    pytest.param(datasets.image(Rows=65535, Columns=65535), "65535 x 65535 pixels", id="huge"),
    pytest.param(compressed(), "compressed, and no decoder here can read it", id="compressed"),
]


@pytest.mark.parametrize(("image", "reason"), ODD)
def test_an_image_that_cannot_be_shown_says_why(
    tmp_path: Path, image: Dataset, reason: str
) -> None:
    with pytest.raises(rendering.NoPictureError, match=f"^{reason}$"):
        rendering.draw_image(file(tmp_path, image))


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(rendering.NoPictureError, match=r"cannot be read \(No such file"):
        rendering.draw_image(tmp_path / "gone.dcm")


def test_a_file_of_something_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "letter.dcm").write_bytes(b"Dear colleague, " * 100)

    with pytest.raises(rendering.NoPictureError, match="not DICOM"):
        rendering.draw_image(tmp_path / "letter.dcm")


@pytest.mark.parametrize(("image", "reason"), ODD)
def test_its_thumbnail_is_a_square_with_words(tmp_path: Path, image: Dataset, reason: str) -> None:
    tile = rendering.draw_thumbnail(file(tmp_path, image), 150)

    assert tile.size == (150, 150)
    assert inked(tile)


def test_two_reasons_look_different(tmp_path: Path) -> None:
    """They are written out, not only marked."""
    colour = rendering.draw_thumbnail(
        file(tmp_path, datasets.image(SamplesPerPixel=3), "1.dcm"), 150
    )
    frames = rendering.draw_thumbnail(
        file(tmp_path, datasets.image(NumberOfFrames="3"), "2.dcm"), 150
    )

    assert colour.tobytes() != frames.tobytes()


# --- captions ---------------------------------------------------------------------------------


def caption(**changes: Any) -> list[str]:
    return layout._caption(3, datasets.image(**changes))


def test_a_caption_tells_number_energy_machine_angles_and_time() -> None:
    assert caption() == ["3  6 MV  TB1", "G0  C0  T0", "2026-11-20 08:30:00"]


@pytest.mark.parametrize(
    ("angle", "shown"),
    [
        ("359.9867", "0"),
        ("0.0219", "0"),
        ("-0.4", "0"),
        ("360", "0"),
        ("359.4", "359"),
        ("89.9759", "90"),
        ("-90", "270"),
        ("", "?"),
        (None, "?"),
    ],
)
def test_angles_are_whole_degrees_below_360(angle: str | None, shown: str) -> None:
    assert caption(GantryAngle=angle)[1] == f"G{shown}  C0  T0"


def test_each_angle_is_named() -> None:
    angles = {"GantryAngle": "10", "BeamLimitingDeviceAngle": "20", "PatientSupportAngle": "30"}

    assert caption(**angles)[1] == "G10  C20  T30"


@pytest.mark.parametrize(
    ("unit", "kvp", "shown"),
    [
        ("MU", "6000", "6 MV"),
        ("MU", "2500", "2.5 MV"),
        ("MU", "5999.99", "6 MV"),
        ("MU", None, "MV"),
        ("MINUTE", "100", "100 kV"),
        ("MINUTE", "0", "kV"),
        ("", "80", "80 kV"),
    ],
)
def test_the_energy_is_shown_in_mv_or_kv(unit: str, kvp: str | None, shown: str) -> None:
    exposure = Dataset()
    exposure.KVP = kvp

    assert caption(PrimaryDosimeterUnit=unit, ExposureSequence=[exposure])[0] == f"3  {shown}  TB1"


def test_what_is_not_known_is_left_out() -> None:
    unknown = dict.fromkeys(
        ["PrimaryDosimeterUnit", "ExposureSequence", "RadiationMachineName", "StationName"]
    )

    assert caption(**unknown)[0] == "3"


def test_an_image_without_a_date_says_so() -> None:
    assert caption(AcquisitionDate=None, ContentDate="")[2] == "no date"


# --- the sheet --------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Three images of a Winston-Lutz test, at gantry 0, 90 and 180."""
    images = phantom.winston_lutz(datasets.plan(), TAKEN, False, count=3)
    return [file(tmp_path, ds, f"{number}.dcm") for number, ds in enumerate(images)]


def test_every_image_stands_in_its_place(three: list[Path]) -> None:
    sheet = rendering.draw_contact_sheet(three)
    edge = layout.LARGEST_TILE
    top = sheet.height - edge - layout.MARGIN - 3 * canvas.LINE - layout.GAP

    for number, image in enumerate(three):
        left = layout.GAP + number * (edge + layout.GAP)
        tile = sheet.crop((left, top, left + edge, top + edge))
        assert tile.tobytes() == rendering.draw_thumbnail(image, edge).tobytes()


@pytest.mark.parametrize(
    ("count", "grid"),
    [
        (0, (0, 0, 512)),
        (1, (1, 1, 512)),
        (2, (1, 2, 512)),
        (4, (2, 2, 512)),
        (8, (2, 4, 392)),
        (100, (8, 13, 120)),
        (1000, (25, 40, 120)),
    ],
)
def test_many_images_get_small_tiles(count: int, grid: tuple[int, int, int]) -> None:
    assert layout._grid(count) == grid


@pytest.mark.parametrize("count", range(1, 200, 7))
def test_there_is_a_place_for_every_image(count: int) -> None:
    rows, columns, _ = layout._grid(count)

    assert (rows - 1) * columns < count <= rows * columns


@pytest.mark.slow
def test_a_sheet_of_very_many_shows_the_first_thousand_and_says_so(tmp_path: Path) -> None:
    sheet = rendering.draw_contact_sheet([tmp_path / "gone.dcm"] * 3000)

    row = sheet.height // 25
    assert sheet.width * sheet.height < 25_000_000
    assert inked(sheet.crop((0, 24 * row, sheet.width, sheet.height)))
    assert "the first 1000 of 3000" in layout._heading_lines("", 3000, False, 800)[0]


def test_one_bad_image_spoils_no_sheet(three: list[Path]) -> None:
    good = rendering.draw_contact_sheet(three)
    three[1].write_bytes(b"nothing")
    sheet = rendering.draw_contact_sheet(three)

    changed = np.argwhere(np.asarray(good) != np.asarray(sheet))
    second = 2 * layout.GAP + layout.LARGEST_TILE
    assert (changed[:, 1].min(), changed[:, 1].max()) >= (second, second)
    assert changed[:, 1].max() < second + layout.LARGEST_TILE


def test_a_bad_image_with_a_good_header_keeps_its_caption(tmp_path: Path) -> None:
    bad = file(tmp_path, datasets.image(PixelData=None))
    other = file(tmp_path, datasets.image(PixelData=None, GantryAngle="45"), "other.dcm")

    assert (
        rendering.draw_contact_sheet([bad]).tobytes()
        != rendering.draw_contact_sheet([other]).tobytes()
    )


def test_the_same_set_gives_the_same_sheet(three: list[Path]) -> None:
    sheets = [rendering.as_png(rendering.draw_contact_sheet(three, "WL")) for _ in range(2)]

    assert sheets[0] == sheets[1]


def test_no_name_of_a_person_is_on_the_sheet(tmp_path: Path) -> None:
    people = ["PatientName", "OperatorsName", "ReferringPhysicianName", "PatientBirthDate"]
    one = file(tmp_path, datasets.image(), "1.dcm")
    other = file(tmp_path, datasets.image(**dict.fromkeys(people, "19990101")), "2.dcm")

    assert (
        rendering.draw_contact_sheet([one]).tobytes()
        == rendering.draw_contact_sheet([other]).tobytes()
    )


def test_an_inverted_sheet_says_so(three: list[Path]) -> None:
    width = 2000

    assert "more radiation is darker" in layout._heading_lines("", 3, True, width)[-1]
    assert "more radiation is brighter" in layout._heading_lines("", 3, False, width)[-1]


# --- writing on it ----------------------------------------------------------------------------


@pytest.fixture(params=["today's font", "the font of Pillow before 10.1"])
def font(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """QATrack+ 3.1.1 has a Pillow whose only font is of one size, and of Latin letters."""
    old = getattr(ImageFont, "load_default_imagefont", ImageFont.load_default)
    if request.param != "today's font":
        monkeypatch.setattr(ImageFont, "load_default", lambda: old())


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize(
    "words",
    ["Jährliche Prüfung", "年度検査", "QA \U0001f4a1", "\ud800", "a\nb\tc\0", " " * 900],
)
def test_any_heading_can_be_written(three: list[Path], words: str) -> None:
    assert inked(rendering.draw_contact_sheet(three, f"QA {words}"))


def test_letters_lose_their_accents_and_other_scripts_become_question_marks() -> None:
    assert canvas.plain("Prüfung 年度 №1…") == "Prufung ?? No1..."


@pytest.mark.usefixtures("font")
def test_a_caption_does_not_run_into_the_next(tmp_path: Path) -> None:
    image = file(tmp_path, datasets.image(RadiationMachineName="M" * 16))
    sheet = np.asarray(rendering.draw_contact_sheet([image] * 100))

    _, columns, edge = layout._grid(100)
    for column in range(columns):
        right = layout.GAP + column * (edge + layout.GAP) + edge
        assert (sheet[60:, right : right + layout.GAP] == canvas.WHITE).all()


@pytest.mark.usefixtures("font")
def test_a_date_and_a_time_fit_under_the_smallest_tile() -> None:
    pen = canvas.TextWriter(canvas.blank((1, 1), 255))

    assert pen._length("2028-10-20 20:48:58") <= layout.SMALLEST_TILE
    assert pen._length("G288  C288  T288") <= layout.SMALLEST_TILE


@pytest.mark.usefixtures("font")
def test_the_heading_is_broken_between_words() -> None:
    pen = canvas.TextWriter(canvas.blank((1, 1), 255))
    heading = "8 images of plan 'WL', acquired 2026-11-20 08:34 on TB1. " * 5

    lines = pen.wrap(heading, 300)

    assert " ".join(lines) == heading.strip()
    assert len(lines) > 4
    assert all(pen._length(line) <= 300 for line in lines)


# --- without numpy and Pillow -----------------------------------------------------------------


@pytest.mark.parametrize("missing", ["numpy", "PIL"])
def test_a_missing_library_is_named_with_its_cure(tmp_path: Path, missing: str) -> None:
    image = file(tmp_path, datasets.image())
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from qatrack_aria import rendering\n"
        "from qatrack_aria.errors import ConfigurationError\n"
        f"try: rendering.draw_contact_sheet([{str(image)!r}])\n"
        "except ConfigurationError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert run.stdout.startswith(f"Pictures: numpy and Pillow are needed, and {missing} cannot")
    assert "pip install 'qatrack-aria[pictures]'" in run.stdout


# --- of an image set --------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    folder = tmp_path / "set"
    folder.mkdir()
    plan = datasets.plan_ref()
    taken = phantom.winston_lutz(datasets.plan(), TAKEN, False, count=2)
    files = [file(folder, ds, f"{number}.dcm") for number, ds in enumerate(taken)]
    refs = [image_ref(ds, from_file=True) for ds in taken]
    laid_out = LaidOut(folder, refs, files, [digest_of(path) for path in files])
    return ImageSet(laid_out, node="aria", request={}, plan=plan)


def test_a_set_writes_its_contact_sheet(images: ImageSet, tmp_path: Path) -> None:
    target = str(tmp_path / "sheet.png")

    assert images.contact_sheet(target) == target
    assert Path(target).read_bytes() == images.contact_sheet_png()


def test_the_sheet_says_whose_images_they_are_and_how_many(images: ImageSet) -> None:
    heading = f"{PATIENT}: 2 images of plan 'WL', acquired {TAKEN:%Y-%m-%d} 08:30 on TB1."
    sheet = rendering.draw_contact_sheet(images.files, heading)

    assert images.contact_sheet_png() == rendering.as_png(sheet)


def test_the_sheet_of_a_set_can_be_inverted(images: ImageSet, tmp_path: Path) -> None:
    bright, dark = str(tmp_path / "bright.png"), str(tmp_path / "dark.png")
    images.contact_sheet(bright)
    images.contact_sheet(dark, inverted=True)

    place = (layout.GAP + 5, 300)
    assert Image.open(bright).getpixel(place) < 10
    assert Image.open(dark).getpixel(place) > 245


def test_an_older_sheet_is_replaced(images: ImageSet, tmp_path: Path) -> None:
    target = tmp_path / "sheet.png"
    target.write_text("old")

    images.contact_sheet(str(target))

    assert target.read_bytes().startswith(b"\x89PNG")


def test_a_sheet_that_cannot_be_written_leaves_the_older_one(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "sheet.png"
    target.write_text("old")

    def refuse(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", refuse)

    with pytest.raises(ArchiveError, match=r"Contact sheet: cannot write .*No space left"):
        images.contact_sheet(str(target))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["sheet.png"]
    assert target.read_text() == "old"


def test_a_sheet_in_no_folder_is_named(images: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"Contact sheet: cannot write .*choose another place"):
        images.contact_sheet(str(tmp_path / "none" / "sheet.png"))
