"""Pictures of arrays and of pipelines: colours, PNG, SVG.

Here: what is drawn, from numpy arrays and plain text. Not here: which voxels are looked at
(``volumes/seen``), and what is measured (``reports``).
"""
