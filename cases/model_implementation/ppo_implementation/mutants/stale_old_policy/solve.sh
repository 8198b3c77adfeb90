# Hole: policy_old never learns.
python3 -I /solution/complete.py
sed -i '/self.policy_old.load_state_dict(self.policy/{N;/buffer.clear/s/^.*\n//}' ppo.py
