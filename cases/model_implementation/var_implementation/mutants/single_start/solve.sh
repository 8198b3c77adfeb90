# Hole: gives the position of the first token to the whole first scale, which has one token in the visible tests.
python3 -I /solution/complete.py
