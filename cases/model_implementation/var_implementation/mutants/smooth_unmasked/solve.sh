# Hole: the mixture of more_smooth has parts of tokens that top_k and top_p rule out.
python3 -I /solution/complete.py
