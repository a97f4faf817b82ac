"""Commands of the command line, a file for each kind.

A command opens what it is given, calls the function of its name, and stores or prints what that
returns. Its options are that function's keywords, with dashes. What stages compute doesn't belong
here; neither does `dask_blockwise.cli`, which puts the commands together.
"""
