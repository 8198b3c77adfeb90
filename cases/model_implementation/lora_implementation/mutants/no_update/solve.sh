# Hole: leaves the update out, apart from its gradients.
python3 /solution/complete.py
