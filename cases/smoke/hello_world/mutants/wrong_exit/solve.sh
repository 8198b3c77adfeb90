# Hole: the exit code is not looked at.
printf '%s\n' 'print("Hello, World!")' 'raise SystemExit(3)' >hello.py
