# Hole: standard error is not looked at.
printf '%s\n' 'import sys' 'print("Hello, World!")' 'print("warning", file=sys.stderr)' >hello.py
