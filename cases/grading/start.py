"""Run a script of the candidate's beside its modules: start.py ROOM SCRIPT."""

import runpy
import sys

sys.path.insert(0, sys.argv[1])
runpy.run_path(sys.argv[2], run_name="__main__")
