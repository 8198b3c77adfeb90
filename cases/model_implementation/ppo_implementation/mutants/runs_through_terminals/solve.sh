# Hole: returns go on across the ends of episodes.
python3 -I /solution/complete.py
sed -i 's/reward + (0.0 if ends else self.gamma \* following)/reward + self.gamma * following/' ppo.py
