# Hole: right images without a cache: all tokens so far go through the blocks again for every scale.
python3 -I /solution/complete.py
