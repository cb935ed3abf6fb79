"""The type of an image.

The type has a module of its own, so that training can name it without importing the decoder: the
environment of the training stages has no PyAV.
"""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (height, width, 3): RGB or BGR, as each function says
