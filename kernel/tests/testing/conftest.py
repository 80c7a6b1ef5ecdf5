import sys
from pathlib import Path

HERE = Path(__file__).parent

# What the broken plugins are made of.
sys.path[:0] = [str(HERE), str(HERE / "broken" / "modules"), str(HERE.parent / "builtin")]
