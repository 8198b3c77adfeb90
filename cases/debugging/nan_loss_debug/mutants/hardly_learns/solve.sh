# Hole: a rate so small that the losses only just fall and nothing is learnt.
sed -i 's/lr=0.01/lr=1e-7/' train.py
