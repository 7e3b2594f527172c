"""The shipped models, and how a model is loaded and checked.

onnxruntime 1.32 gives each machine an id, keeps it in the user's home, and reports what it is used
for, unless this variable has been set before it is imported. Here nothing is reported to anybody.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
