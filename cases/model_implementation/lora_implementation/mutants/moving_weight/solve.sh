# Hole: W is frozen for the optimiser, and changes all the same.
python3 /solution/complete.py
