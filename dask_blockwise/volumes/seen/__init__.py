"""How a person sees a volume: in a notebook, in matplotlib, in Neuroglancer.

Here: which voxels are looked at, and what is said of them. Not here: how they are drawn
(``pictures``).
"""
