"""DICOM, and nothing of Django or QATrack+."""
