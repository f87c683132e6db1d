import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "execution"))  # emulated.py is shared by several test folders
