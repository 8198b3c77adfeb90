# Hole: A is random, but not scaled by 1/sqrt(rank).
python3 /solution/complete.py
