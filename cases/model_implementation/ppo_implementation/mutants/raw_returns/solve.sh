# Hole: returns are not normalised.
python3 -I /solution/complete.py
sed -i '/returns - returns.mean/d' ppo.py
