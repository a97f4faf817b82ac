"""Volumes: voxels in the world that answer a region, and how they are stored block by block.

What holds for any volume, whatever computes it, belongs here. A stage that computes something of
its own, such as a prediction or labels, has a room above this one.
"""
