# Hole: the clipped ratio alone counts, without the minimum of both.
python3 -I /solution/complete.py
sed -i 's/torch.min(ratios \* advantages, clipped \* advantages)/clipped * advantages/' ppo.py
