# Hole: the loss is low from the start, because the model was trained before it was asked for.
sed -i '/^y = /a X = (X - X.mean()) / X.std()' train.py
echo 'train()' >> train.py
