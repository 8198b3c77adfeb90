# Hole: makes every parameter on the default device.
python3 /solution/complete.py
