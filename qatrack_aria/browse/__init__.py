"""Browse a node: list a patient's plans and images, and show the images of a set."""
