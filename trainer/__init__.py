"""Training of the models that the pipeline runs; needs the extra ``train``."""
