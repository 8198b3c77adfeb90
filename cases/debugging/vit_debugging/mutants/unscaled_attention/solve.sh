# Hole: attention without the scale, while everything else is repaired.
python3 -I /solution/repair.py
sed -i 's/self.scale \* q @/q @/' dino_v2/layers/attention.py
