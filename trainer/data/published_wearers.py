"""The frames of the wearers of UCI HAR's published windows, learnt from those windows as live.

The windows of a bout overlap by half, so that they show its whole signal; from that the frame is
learnt look by look, and kept from bout to bout of the same subject, in their order.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.models.gait import shipped_gait
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.prepared import Windows
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recordings import uci_har
from pipeline.recordings.uci_har import OVERLAP, Split


def frames_of(split: Split) -> NDArray[np.float32]:
    """Return the frames ``(n_windows, 10)`` as known at each window's last sample.

    They are in the axes of the windows.
    """
    frames = np.empty((len(split.labels), len(COLUMNS)), np.float32)
    for recording in uci_har.recordings(split):
        phone = RecordedPhone(hop=OVERLAP, gait=shipped_gait())
        messages = [[part.readings for part in message] for message in recording.messages]
        windows = Windows.joined([*map(phone.push, messages), phone.finish()])
        frames[split.subjects == int(recording.person)] = windows.wearer_frames
    return frames
