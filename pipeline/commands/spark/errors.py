"""What stops har-spark and its operator can mend."""


class SparkJobError(Exception):
    """The job cannot be started or go on; its operator can mend it, and the text says how."""
