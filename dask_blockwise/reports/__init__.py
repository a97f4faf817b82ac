"""Whether a result can be trusted, in figures and pictures.

What looks at results belongs here; what makes them does not.
"""
