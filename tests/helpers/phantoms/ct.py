"""Draw cone-beam CT scans of CatPhan and QuART DVT phantoms with known errors, as DICOM files.

Run ``python phantoms.py FOLDER [case ...]``: every case becomes a folder of CT slices and a file
``<case>.json`` with the analysis, its arguments, and the true values.

In every plane x points to the right and y down the displayed image (the patient's left and
posterior, for HFS), z to the patient's head; angles turn from x to y, clockwise on the screen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import erf
from pathlib import Path
from statistics import NormalDist
from typing import Callable, Iterable

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from scipy.ndimage import gaussian_filter

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
AIR = -1000.0
RAMP = np.tan(np.deg2rad(23.0))  # slope of the wires of a CatPhan: z / distance in the plane
GAP = np.tan(np.deg2rad(30.0))  # slope of the air gaps of a QuART DVT
PATTERNS = ((0.1, 2), (0.2, 3), (0.3, 4), (0.4, 4), (0.5, 4), (0.6, 5), (0.7, 5), (0.8, 5))
DISKS = ((15, -87.4), (9, -69.1), (8, -52.7), (7, -38.5), (6, -25.1), (5, -12.9))


@dataclass(frozen=True)
class Model:
    """Describe a phantom: inserts as {name: (angle, HU)}, modules as {name: (from, to)} in mm."""

    radius: float
    inserts: dict[str, tuple[float, float]]
    modules: dict[str, tuple[float, float]]
    groups: tuple[float, ...] = ()  # angles of the bar patterns, 0.1 lp/mm first
    low_contrast: float = 0.0  # angle by which the low-contrast disks are turned
    insert_distance: float = 58.7
    insert_radius: float = 6.1


@dataclass(frozen=True)
class Scan:
    """Describe how a phantom is scanned, and the errors of that scan."""

    model: str
    matrix: int = 512
    field_mm: float = 262.0
    first: float = -100.0  # z of the first slice; z is 0 at the middle of the HU module
    slices: int = 88
    thickness: float = 2.0  # as the header states; the distance of the slices
    profile: float = 0.0  # true width of the slices in mm; 0: as stated
    blur: float = 0.55  # sigma of the point spread function in mm
    noise: float = 4.0  # HU
    roll: float = 0.0  # degrees, clockwise on the screen
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)  # mm, right and down
    inserts: dict[str, float] = field(default_factory=dict)  # HU added to an insert
    cup: float = 0.0  # HU at 53 mm, relative to the centre, all around
    tilt: float = 0.0  # HU at 53 mm on the right; as much lower on the left
    offset: float = 0.0  # HU added to everything
    disks: int = 6  # low-contrast disks present, the largest first
    seed: int = 1


def _arcs(start: float, clockwise: bool, spans: Iterable[tuple[float, float]]) -> tuple[float, ...]:
    """Turn spans, as fractions of a circle, into the angles in the middle of each bar pattern."""
    middles = [(low + high) / 2 for low, high in spans]
    return tuple(start + (360 * m if clockwise else -360 * m) for m in middles)


CTP404 = {
    "air": (-90, -1000), "air2": (90, -1000), "pmp": (-120, -196), "ldpe": (180, -104),
    "poly": (120, -47), "acrylic": (60, 115), "delrin": (0, 365), "teflon": (-60, 1000),
}  # fmt: skip
BONE = {"bone50": (-150, 725), "bone20": (30, 237)}
TURNED = {name: (angle + 180, hu) for name, (angle, hu) in CTP404.items()}
QUART = {
    "air": (-90, -1000), "air2": (90, -1000), "poly": (0, -35), "acrylic": (45, 120),
    "teflon": (180, 990),
}  # fmt: skip
BARS_504 = (0, 0.107, 0.173, 0.236, 0.286, 0.335, 0.387, 0.434, 0.479)
BARS_503 = (0, 0.111, 0.176, 0.240, 0.289, 0.339, 0.390, 0.436, 0.481)
# pylinac 3 searches the patterns of a CatPhan 600 a few mm further along the circle than 2.5, which
# searches where a CatPhan 504 has them: these fit into what both search.
BARS_600 = tuple(zip((0, 0.127, 0.195, 0.255, 0.304, 0.354, 0.405, 0.453), BARS_504[1:]))

MODELS = {
    "503": Model(98, CTP404, {"uniformity": (-140, -80), "bars": (-50, -13), "hu": (-13, 13)},
                 _arcs(0, True, zip(BARS_503, BARS_503[1:]))),
    "504": Model(100, CTP404, {"uniformity": (-95, -48), "disks": (-48, -13), "hu": (-13, 13),
                               "bars": (13, 50)}, _arcs(180, False, zip(BARS_504, BARS_504[1:]))),
    "600": Model(100, TURNED, {"uniformity": (-185, -136), "disks": (-136, -91),
                               "bars": (-91, -48), "hu": (-13, 13)},
                 _arcs(np.rad2deg(np.pi - 0.1), True, BARS_600), low_contrast=180),
    "604": Model(100, {**CTP404, **BONE}, {"uniformity": (-105, -60), "disks": (-60, -13),
                                           "hu": (-13, 13), "bars": (13, 65)},
                 _arcs(180, False, zip(BARS_504, BARS_504[1:]))),
    "quart": Model(80, QUART, {"uniformity": (-70, -20), "hu": (-20, 20), "plain": (20, 70)},
                   insert_distance=52.5, insert_radius=7.0),
}  # fmt: skip
MODELS["quart-water"] = replace(MODELS["quart"], inserts={**QUART, "water": (-45, 0)})
BODY = {"hu": 100.0, "uniformity": 10.0, "disks": 50.0, "bars": 60.0, "plain": 60.0}


class Plane:
    """Hold one image in the coordinates of the phantom, and draw on it."""

    def __init__(self, scan: Scan) -> None:
        self.pixel = scan.field_mm / scan.matrix
        axis = (np.arange(scan.matrix) - (scan.matrix - 1) / 2) * self.pixel
        x, y = np.meshgrid(axis - scan.shift[0], axis - scan.shift[1])
        cos, sin = np.cos(np.deg2rad(scan.roll)), np.sin(np.deg2rad(scan.roll))
        self.x = (x * cos + y * sin) / scan.scale
        self.y = (y * cos - x * sin) / scan.scale
        self.pixel /= scan.scale
        self.radius = np.hypot(self.x, self.y)
        self.angle = np.rad2deg(np.arctan2(self.y, self.x))
        self.values = np.full(x.shape, AIR)

    def copy(self) -> Plane:
        """Return another image with the same coordinates."""
        other = object.__new__(Plane)
        other.__dict__.update(self.__dict__, values=self.values.copy())
        return other

    def fill(self, inside: np.ndarray, hu: float | np.ndarray) -> None:
        """Mix a value into the image; `inside` is the signed distance to the edge in mm."""
        cover = np.clip(inside / self.pixel + 0.5, 0, 1)
        self.values += cover * (hu - self.values)

    def disk(self, radius: float, hu: float, distance: float = 0.0, angle: float = 0.0) -> None:
        x, y = _polar(distance, angle)
        self.fill(radius - np.hypot(self.x - x, self.y - y), hu)

    def bar(
        self, angle: float, distance: float, along: tuple[float, float], width: float, hu: float
    ) -> None:
        """Draw a straight bar, tangential at `distance`, from along[0] to along[1]."""
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        radial, tangential = self.x * cos + self.y * sin, self.y * cos - self.x * sin
        middle, half = (along[0] + along[1]) / 2, (along[1] - along[0]) / 2
        across = np.clip((width / 2 - np.abs(radial - distance)) / self.pixel + 0.5, 0, 1)
        length = np.clip((half - np.abs(tangential - middle)) / self.pixel + 0.5, 0, 1)
        # A wire thinner than a pixel fills only a part of it.
        self.values += across * length * min(1.0, width / self.pixel) * (hu - self.values)


def _polar(distance: float, angle: float) -> tuple[float, float]:
    return distance * np.cos(np.deg2rad(angle)), distance * np.sin(np.deg2rad(angle))


def draw_hu(plane: Plane, model: Model, scan: Scan) -> None:
    """Draw the sensitometry inserts and, in a CatPhan, the four geometry holes."""
    for name, (angle, hu) in model.inserts.items():
        radius = 15.0 if name == "water" else model.insert_radius
        plane.disk(radius, hu + scan.inserts.get(name, 0.0), model.insert_distance, angle)
    if model.groups:
        for x, y, hu in ((-25, -25, AIR), (25, -25, AIR), (-25, 25, AIR), (25, 25, 1000.0)):
            plane.fill(1.5 - np.hypot(plane.x - x, plane.y - y), hu)


def draw_uniformity(plane: Plane, model: Model, scan: Scan) -> None:
    """Add cupping and a tilt to the uniform module."""
    error = scan.cup * (plane.radius / 53) ** 2 + scan.tilt * plane.x / 53
    plane.values += np.where(plane.radius < model.radius, error, 0.0)


def draw_disks(plane: Plane, model: Model, scan: Scan) -> None:
    """Draw the low-contrast disks: 1.0 % (10 HU), 0.5 % and 0.3 %, 120 degrees apart."""
    for contrast, turn in ((10.0, 0.0), (5.0, 120.0), (3.0, 240.0)):
        for diameter, angle in DISKS[: scan.disks]:
            hu = BODY["disks"] + contrast
            plane.disk(diameter / 2, hu, 50.0, angle + turn + model.low_contrast)


def draw_bars(plane: Plane, model: Model, scan: Scan) -> None:
    """Draw the bar patterns between 42 and 52 mm; bar and gap are equally wide at 47 mm."""
    radial = 5.0 - np.abs(plane.radius - 47.0)
    for angle, (frequency, count) in zip(model.groups, PATTERNS):
        arc = np.deg2rad((plane.angle - angle + 180) % 360 - 180) * 47.0
        for middle in _bars(frequency, count):
            plane.fill(np.minimum(0.25 / frequency - np.abs(arc - middle), radial), 2000.0)


def _bars(frequency: float, count: int) -> np.ndarray:
    """Return where the middles of the bars of a pattern are, in mm along the arc."""
    return (np.arange(count) - (count - 1) / 2) / frequency


MODULES: dict[str, Callable[[Plane, Model, Scan], None]] = {
    "hu": draw_hu, "uniformity": draw_uniformity, "disks": draw_disks, "bars": draw_bars,
}  # fmt: skip


def draw_ramps(plane: Plane, model: Model, low: float, high: float) -> None:
    """Draw what a slice from z = low to high sees of the wire ramps, or of the air gaps."""
    if model.groups:
        for angle, way in ((0, 1), (180, 1), (90, 1), (-90, 1)):
            along = np.clip(np.sort(np.array((low, high)) * way / RAMP), -20, 20)
            if along[1] > along[0]:
                plane.bar(angle, 38.0, (along[0], along[1]), 1.0, 1500.0)
        return
    for angle in (90, -90):
        along = np.clip(np.array((low, high)) / GAP, -16, 16)
        if along[1] > along[0]:
            plane.bar(angle, 32.0, (along[0], along[1]), 3.0, AIR)


def draw_modules(scan: Scan) -> dict[str, np.ndarray | Plane]:
    """Draw every module of the phantom once, without ramps."""
    model = MODELS[scan.model]
    planes = {}
    for name in (*model.modules, "plain"):
        plane = Plane(scan)
        body = 120.0 if not model.groups else BODY[name]
        plane.disk(model.radius, body)
        if name in MODULES:
            MODULES[name](plane, model, scan)
        planes[name] = plane
    return planes


def draw_slices(scan: Scan) -> Iterable[tuple[float, np.ndarray]]:
    """Yield z and HU of every slice."""
    model, planes = MODELS[scan.model], draw_modules(scan)
    random = np.random.default_rng(scan.seed)
    body = (min(low for low, _ in model.modules.values()) - 12, 70.0)
    half = (scan.profile or scan.thickness) / 2
    for index in range(scan.slices):
        z = scan.first + index * scan.thickness
        low, high = z - half, z + half
        values = _mix(model, planes, body, low, high)
        values = gaussian_filter(values, scan.blur * scan.matrix / scan.field_mm)
        values += random.normal(0, scan.noise, values.shape) + scan.offset
        yield z, values


def _mix(
    model: Model, planes: dict[str, Plane], body: tuple[float, float], low: float, high: float
) -> np.ndarray:
    """Average the modules over a slice; what is inside the body but in no module is plain."""
    spans = dict(model.modules)
    parts = {
        name: max(0.0, min(high, b) - max(low, a)) / (high - low) for name, (a, b) in spans.items()
    }
    inside = max(0.0, min(high, body[1]) - max(low, body[0])) / (high - low)
    parts["plain"] = parts.get("plain", 0.0) + max(0.0, inside - sum(parts.values()))
    values = (1 - min(1.0, sum(parts.values()))) * np.full_like(planes["plain"].values, AIR)
    for name, part in parts.items():
        if part:
            plane = planes[name].copy()
            if name == "hu":
                draw_ramps(plane, model, max(low, spans[name][0]), min(high, spans[name][1]))
            values = values + part * plane.values
    return values


def relative_mtf(blur: float) -> list[tuple[float, float]]:
    """Calculate the modulation of the bar patterns behind a Gaussian blur, 0.1 lp/mm being 1.

    Modulation is (bars - gaps) / (bars + gaps), of the mean over the middles of the bars and of
    the gaps between them. Sums of error functions, with no image.
    """
    modulations = []
    for frequency, count in PATTERNS:
        middles = _bars(frequency, count)
        between = (middles[:-1] + middles[1:]) / 2
        bars = np.mean([_level(s, middles, 0.25 / frequency, blur) for s in middles])
        gaps = np.mean([_level(s, middles, 0.25 / frequency, blur) for s in between])
        modulations.append((frequency, float((bars - gaps) / (bars + gaps))))
    return [(frequency, value / modulations[0][1]) for frequency, value in modulations]


def _level(s: float, middles: np.ndarray, half: float, blur: float) -> float:
    """Return the height, 0 to 1, of blurred bars at s."""
    root = blur * 2**0.5
    return sum(erf((s - m + half) / root) - erf((s - m - half) / root) for m in middles) / 2


def pixel_mm(scan: Scan) -> float:
    """Return the pixel size."""
    return scan.field_mm / scan.matrix


def sharpness(scan: Scan) -> float:
    """Return the sigma of the image: the blur, and that of a square pixel."""
    return float((scan.blur**2 + pixel_mm(scan) ** 2 / 12) ** 0.5)


def frequency_at(curve: list[tuple[float, float]], level: float = 0.5) -> float:
    """Interpolate the frequency at which a falling curve reaches a level."""
    for (f0, m0), (f1, m1) in zip(curve, curve[1:]):
        if m1 <= level <= m0:
            return f0 + (m0 - level) / (m0 - m1) * (f1 - f0)
    raise ValueError("the curve does not reach the level")


def header(scan: Scan, patient_id: str, uid: str, acquired: str) -> Dataset:
    """Return what all slices of a scan have in common, as a TrueBeam exports it."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SOPClassUID = CT_IMAGE_STORAGE
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(data, f"{name}Date", acquired[:8])
        setattr(data, f"{name}Time", acquired[8:])
    data.InstanceCreationDate, data.InstanceCreationTime = acquired[:8], acquired[8:]
    data.AccessionNumber = ""
    data.Modality = "CT"
    data.Manufacturer = "Varian Medical Systems"
    data.ManufacturerModelName = "On-Board Imager"
    data.StationName = "TrueBeam1"
    data.StudyDescription, data.SeriesDescription = "", "CBCT"
    data.SoftwareVersions = "2.7"
    data.DeviceSerialNumber = "1234"
    data.PatientName, data.PatientID = f"QA^{patient_id}", patient_id
    data.PatientBirthDate, data.PatientSex = "", "O"
    data.KVP, data.XRayTubeCurrent, data.ExposureTime, data.Exposure = "100", 15, 7360, 147
    data.ScanOptions, data.ProtocolName = "HEAD", "Head"
    data.DataCollectionDiameter = data.ReconstructionDiameter = scan.field_mm
    data.DistanceSourceToDetector, data.DistanceSourceToPatient = "1500", "1000"
    data.SliceThickness = scan.thickness
    data.PatientPosition = "HFS"
    data.StudyInstanceUID, data.SeriesInstanceUID = uid + ".1", uid + ".2"
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = uid + ".3", ""
    data.StudyID, data.SeriesNumber, data.AcquisitionNumber = "QA", 1, 1
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows = data.Columns = scan.matrix
    data.PixelSpacing = [round(scan.field_mm / scan.matrix, 10)] * 2
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.WindowCenter, data.WindowWidth = "40", "400"
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    return data


def write(
    scan: Scan,
    folder: Path,
    patient_id: str = "QA_CBCT",
    acquired: str = "20261201071500",
    explicit: bool = False,
) -> list[Path]:
    """Write the slices of a scan into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = generate_uid(entropy_srcs=[repr(scan), patient_id, acquired])[:50].rstrip(".")
    data, paths = header(scan, patient_id, uid, acquired), []
    edge = -(scan.matrix - 1) / 2 * scan.field_mm / scan.matrix
    for number, (z, values) in enumerate(draw_slices(scan), 1):
        data.SOPInstanceUID, data.InstanceNumber = f"{uid}.4.{number}", number
        data.ImagePositionPatient = [round(edge, 6), round(edge, 6), round(z, 4)]
        data.SliceLocation = round(z, 4)
        data.PixelData = np.clip(np.rint(values + 1024), 0, 65535).astype("<u2").tobytes()
        paths.append(folder / f"CT.{number:03d}.dcm")
        _save(data, paths[-1], explicit)
    return paths


def _save(data: Dataset, path: Path, explicit: bool) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    data.file_meta = meta
    data.is_little_endian, data.is_implicit_VR = True, not explicit
    data["PixelData"].VR = "OW"
    data.save_as(str(path), write_like_original=False)


def truths(scan: Scan) -> dict[str, float]:
    """Return the true values of a scan."""
    model = MODELS[scan.model]
    values = {
        f"hu_{name}": hu + scan.inserts.get(name, 0.0) + scan.offset
        for name, (_, hu) in model.inserts.items()
        if name != "air2"
    }
    base = (10.0 if model.groups else 120.0) + scan.offset
    # The centre ROI has a radius of 10 mm: the median of (r / 53)^2 over it is at r^2 = 50.
    centre = base + scan.cup * 50 / 53**2
    around = [base + scan.cup * (1 + 0 / 53**2) + tilt for tilt in (scan.tilt, 0.0, -scan.tilt)]
    worst = max((value - centre for value in around), key=abs)
    everything = [*around, centre]
    values["uniformity_worst"] = worst
    values["uniformity_index"] = 100 * worst / (centre + 1000)
    values["integral_non_uniformity"] = (max(everything) - min(everything)) / (
        max(everything) + min(everything) + 2000
    )
    values["noise"] = scan.noise
    values["thickness"] = scan.profile or scan.thickness
    values["roll"] = scan.roll
    values["slices"] = scan.slices
    if model.groups:
        values["line_average"] = values["line_worst"] = 50 * scan.scale
        values["mtf50"] = frequency_at(relative_mtf(sharpness(scan)))
        # pylinac samples the bars at the nearest pixel and smooths that by one sample.
        smoothed = np.hypot(sharpness(scan), pixel_mm(scan) * (1 / 4 + 1 / 12) ** 0.5)
        values["mtf50_smoothed"] = frequency_at(relative_mtf(float(smoothed)))
    else:
        values["width"] = values["height"] = 160 * scan.scale
        low, high = (NormalDist().inv_cdf((hu + 1000) / 1120) for hu in (-700, -200))
        values["edge"] = (high - low) * sharpness(scan)
    if "disks" in model.modules:
        values["low_contrast_seen"] = scan.disks
    return values


QUART_SCAN = Scan("quart", first=-80, slices=80, roll=0.0)
CASES = {
    # name: (analysis, scan)
    "504-right": ("catphan_504", Scan("504")),
    "504-errors": ("catphan_504", Scan(
        "504", roll=1.5, inserts={"delrin": 30.0, "pmp": -20.0}, cup=12.0, tilt=6.0, blur=0.75,
        disks=3, seed=2)),
    "504-scale": ("catphan_504", Scan("504", scale=1.01, roll=-1.5, shift=(4.0, -3.0), seed=3)),
    "504-thick": ("catphan_504", Scan(
        "504", thickness=4.0, slices=44, profile=4.6, cup=-15.0, seed=4)),
    "604-right": ("catphan_604", Scan("604", first=-104)),
    "604-errors": ("catphan_604", Scan(
        "604", first=-104, roll=1.5, inserts={"bone50": 40.0, "delrin": -30.0}, cup=12.0,
        tilt=-6.0, blur=0.75, disks=3, seed=5)),
    "604-scale": ("catphan_604", Scan(
        "604", first=-104, scale=0.99, roll=-1.5, noise=3.0, seed=6)),
    "600-right": ("catphan_600", Scan("600", first=-190, slices=110)),
    "600-errors": ("catphan_600", Scan(
        "600", first=-190, slices=110, roll=1.5, scale=1.01, inserts={"delrin": 30.0}, cup=12.0,
        tilt=6.0, blur=0.75, disks=3, seed=7)),
    "503-right": ("catphan_503", Scan("503", first=-140)),
    "503-errors": ("catphan_503", Scan(
        "503", first=-140, roll=1.5, scale=1.01, inserts={"delrin": 30.0}, cup=12.0, tilt=6.0,
        blur=0.75, seed=8)),
    "quart-right": ("quart_dvt", QUART_SCAN),
    "quart-errors": ("quart_dvt", replace(
        QUART_SCAN, roll=1.5, inserts={"poly": 30.0}, cup=12.0, tilt=6.0, scale=1.01, blur=0.75,
        seed=9)),
    "quart-water": ("quart_dvt_water", replace(
        QUART_SCAN, model="quart-water", inserts={"water": 20.0}, roll=-1.5, seed=10)),
}  # fmt: skip
