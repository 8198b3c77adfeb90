# Hole: select_action asks the policy that is being trained.
python3 -I /solution/complete.py
sed -i 's/self.policy_old.act/self.policy.act/' ppo.py
