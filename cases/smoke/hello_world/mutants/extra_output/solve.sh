# Hole: searching the output for the greeting instead of comparing it.
printf '%s\n' 'print("Here you are:")' 'print("Hello, World!")' >hello.py
