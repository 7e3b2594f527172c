"""What is done to an exported graph so that onnxruntime takes less time for a window.

The answers stay the same but for rounding, and the weights the same but for their arrangement: the
model's version is that of what was trained. `faster` does it, `remaking` to a file that is there.
"""
