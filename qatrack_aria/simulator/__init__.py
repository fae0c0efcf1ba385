"""A simulated ARIA: a DICOM query/retrieve SCP on the loopback, and a phantom for its images.

    datasets = phantom.qa_history(datetime.now())
    with Simulator(datasets, peers={"QATRACK": ("127.0.0.1", 11112)}) as aria:
        ...  # query and move from ("127.0.0.1", aria.port), called AE title VMSDBD

By default the simulator behaves as a real DB Service is known to; what only some sites report is a
switch of `Behaviour`. It has no access control beyond AE titles: use it for phantoms only.
"""

from __future__ import annotations

from . import phantom
from .behaviour import Behaviour
from .operation import Operation
from .server import Simulator

__all__ = ["Behaviour", "Operation", "Simulator", "phantom"]
