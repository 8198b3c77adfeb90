# Hole: a label out of range is taken for no class.
python3 -I /solution/complete.py
