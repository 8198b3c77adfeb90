# Hole: the blocks go on caching after the images are made.
python3 -I /solution/complete.py
