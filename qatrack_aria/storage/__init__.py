"""Files on disk that are complete or absent: received instances, and the folders of image sets."""
