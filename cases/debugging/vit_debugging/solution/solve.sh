python3 -I /solution/repair.py
