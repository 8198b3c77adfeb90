python3 -I /solution/complete.py
