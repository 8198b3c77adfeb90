# Hole: the ratios are not clipped.
python3 -I /solution/complete.py
sed -i 's/torch.min(ratios \* advantages, clipped \* advantages)/ratios * advantages/' ppo.py
