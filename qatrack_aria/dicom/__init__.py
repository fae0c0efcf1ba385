"""DICOM: queries, retrieval, our storage SCP, attributes, files. Does not import Django."""
