# Hole: a training pass that only fails an assertion, which the original's test caught and forgot.
python3 -I /solution/complete.py
