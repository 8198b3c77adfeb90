"""Checks that hello.py prints "Hello, World!" and ends with exit code 0.

Stricter than the original: the script runs alone, from a directory of its own
and from a strange one, under an isolated interpreter, and must leave standard
error empty.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from judge import Judge

with Judge() as judge:
    room = judge.deliver("hello.py")
    script = os.path.join(room, "hello.py")
    for place, cwd in (("beside the script", room), ("elsewhere", None)):
        done = judge.python(script, cwd=cwd, timeout=30)
        judge.expect(f"{place}: ends in time", not done.timed_out)
        judge.expect(f"{place}: exit code is 0", done.exit == 0, done.exit)
        judge.expect(f"{place}: prints the greeting", done.stdout.strip() == "Hello, World!", repr(done.stdout))
        judge.expect(f"{place}: standard error is empty", done.stderr == "", done.stderr)
