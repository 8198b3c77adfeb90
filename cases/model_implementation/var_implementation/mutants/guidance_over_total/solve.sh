# Hole: the guidance grows with si / K instead of si / (K - 1), as the original's prompt says.
python3 -I /solution/complete.py
