"""Shapes of objects: meshes and skeletons, one object after the other, through the engine.

Here: what looks at an object as a whole, in its own box. Not here: what labels are made by, and
tables of objects (``volumes/objects``).
"""
