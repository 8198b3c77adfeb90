"""Run pytest over the candidate's files: visible.py ROOM PYTEST_ARGUMENT..."""

import sys

import pytest

sys.path.insert(0, sys.argv[1])
sys.exit(pytest.main(sys.argv[2:]))
