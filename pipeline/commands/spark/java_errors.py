"""Errors in Java, in a line."""

from py4j.protocol import Py4JJavaError


def java_reason(error: Py4JJavaError) -> str:
    """Return the innermost cause of an error in Java, without its stack trace."""
    cause = error.java_exception
    while (inner := cause.getCause()) is not None:
        cause = inner
    return " ".join(str(cause.toString()).split())
