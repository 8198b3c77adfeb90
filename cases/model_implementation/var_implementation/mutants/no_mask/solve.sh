# Hole: coarse scales see the finer ones in the training pass.
python3 -I /solution/complete.py
