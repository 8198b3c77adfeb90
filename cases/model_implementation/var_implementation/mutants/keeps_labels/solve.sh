# Hole: no label is ever dropped in training.
python3 -I /solution/complete.py
