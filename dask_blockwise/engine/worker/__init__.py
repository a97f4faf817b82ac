"""What runs in the worker processes of a cluster.

How a block is called, watched and reported belongs here. What decides which block runs next does
not: that is the driver's, one folder up, and nothing here imports it.
"""
