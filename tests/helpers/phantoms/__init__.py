"""Phantoms whose truth is known: images with an error put in, and the numbers that follow from it.

Their layouts are nominal. They prove numbers, signs and units, not that pylinac fits a phantom.
"""
