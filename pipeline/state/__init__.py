"""The state on disk: checkpoints, and which messages may be acknowledged once one is written."""
