# Hole: a comparison that ignores case or punctuation.
echo 'print("hello world")' >hello.py
