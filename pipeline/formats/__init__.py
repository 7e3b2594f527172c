"""The wire formats, one module each: bytes of a message to `Readings`."""
