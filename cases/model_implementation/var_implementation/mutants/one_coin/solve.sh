# Hole: the labels of a batch are dropped all together or not at all.
python3 -I /solution/complete.py
