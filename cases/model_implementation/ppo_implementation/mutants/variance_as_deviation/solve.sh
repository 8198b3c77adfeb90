# Hole: takes the variance for the standard deviation.
python3 -I /solution/complete.py
sed -i 's/torch.diag(self.action_var))/scale_tril=torch.diag(self.action_var))/' ppo.py
