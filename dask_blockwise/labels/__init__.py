"""What is known of labels within one array: ids, tables of objects, scores.

Functions of numpy arrays belong here. How labels of several blocks become one belongs to
`relabelling`; how an array becomes labels, to `segmentation`.
"""
