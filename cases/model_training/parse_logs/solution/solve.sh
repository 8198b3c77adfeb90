python3 -I /solution/analyse.py
