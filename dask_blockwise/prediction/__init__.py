"""From raw data to probabilities, classes and masks: networks, and what is made of their output.

How a network is loaded, probed, tiled and run belongs here. What makes objects does not.
"""
