# Hole: advantages are taken from the critic that is being trained, with its gradients.
python3 -I /solution/complete.py
sed -i 's/            gain = /            advantages = returns - values\n&/' ppo.py
