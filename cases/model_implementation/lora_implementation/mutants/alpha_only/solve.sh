# Hole: forgets to divide by the rank.
python3 /solution/complete.py
