# Hole: with prog_si == 0 word_embed gets no gradients, which stops distributed training.
python3 -I /solution/complete.py
