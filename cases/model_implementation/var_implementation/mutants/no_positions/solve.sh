# Hole: in images only the first scale knows where its tokens are; shapes and ranges are right.
python3 -I /solution/complete.py
