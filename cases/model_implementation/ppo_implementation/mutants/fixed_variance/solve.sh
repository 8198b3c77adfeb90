# Hole: goes on with the variance of the constructor after set_action_std.
python3 -I /solution/complete.py
sed -i 's/torch.diag(self.action_var)/0.36 * torch.eye(self.action_dim)/' ppo.py
