# Hole: more_smooth changes nothing.
python3 -I /solution/complete.py
