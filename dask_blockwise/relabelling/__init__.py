"""From the labels of single blocks to one id for each object of the volume.

Rules by which labels are one object belong here, and the steps in which blocks come to them.
"""
