"""What a node lists of a patient, grouped for people to look through."""
