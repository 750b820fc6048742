"""hsmtrail: the security log of Thales Luna HSMs, kept, read, watched and reviewed."""

__version__ = "0.1.0"
