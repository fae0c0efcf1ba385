"""Files on disk that are whole or absent: received instances, and the folders of image sets."""
