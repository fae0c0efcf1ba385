"""DICOM: queries, retrieval, our storage SCP, attributes, files. Imports nothing of Django."""
