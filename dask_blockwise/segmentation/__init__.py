"""From probabilities to the labels of single blocks: segment functions, and what calls them.

A function that labels an array belongs here. How labels of several blocks become one object
belongs to `relabelling`, of which nothing here knows.
"""
