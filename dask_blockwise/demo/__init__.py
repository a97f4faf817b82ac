"""Two sample volumes, small networks that come with the package, and `dask-blockwise demo`.

What only the demo needs belongs here; nothing else imports it but the command.
"""
