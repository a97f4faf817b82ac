"""Blocks, boxes, placements and units: exact whole numbers, of the world and of voxels.

What is true of regions without any array belongs here. What knows of Dask, of a store or of an
array's values does not.
"""
