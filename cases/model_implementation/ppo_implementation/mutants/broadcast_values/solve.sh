# Hole: the value loss compares n x 1 values with n returns, so each with all.
python3 -I /solution/complete.py
sed -i 's/self.MseLoss(values, returns)/self.MseLoss(values[:, None], returns)/' ppo.py
