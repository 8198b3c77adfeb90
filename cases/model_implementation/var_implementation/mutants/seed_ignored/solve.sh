# Hole: the tokens are drawn without the generator, so that equal seeds give other images.
python3 -I /solution/complete.py
