# Hole: shrinks inputs and targets alike, so that y is not 2 * X + 1 any more.
sed -i '/^y = /a X, y = X \/ 100, y \/ 1000' train.py
