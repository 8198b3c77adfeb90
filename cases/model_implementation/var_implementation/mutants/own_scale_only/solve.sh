# Hole: with prog_si there is only that scale, as the original's prompt says, and its test does not.
python3 -I /solution/complete.py
