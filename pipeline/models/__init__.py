"""The shipped models, and how a model is loaded and checked."""
