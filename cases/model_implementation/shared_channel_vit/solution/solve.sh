python3 /solution/complete.py
