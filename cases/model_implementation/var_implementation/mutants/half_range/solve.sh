# Hole: images within [0, 1], because what lies below is cut off.
python3 -I /solution/complete.py
