import sys
from pathlib import Path

import numpy as np
import pytest

# The plants and arms these tests share lie beside them; importlib mode puts no folder on the path.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20201)
